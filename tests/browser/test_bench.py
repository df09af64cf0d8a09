"""The benchmark of pages measures what it says, in short."""

from __future__ import annotations

import json

import pytest

from tests.unit import fresh_python

# Playwright starts once in a process, and the other tests have it there.
SCRIPT = """
from benchmarks import pages
pages.SECONDS, pages.DISTINCT, pages.ROUNDS = 30, 3, 1
for one in pages.compare():
    print(one.line(), end="")
"""


def test_pages_are_compared_with_those_of_rally() -> None:
    said = fresh_python.run(SCRIPT, deadline_s=300)
    found = list(map(json.loads, said.splitlines()))
    assert [one["subject"].rpartition(" ")[2] for one in found] == [
        "draw",
        "size",
        "open",
    ]
    for one in found:
        ours, peer, *_ = one["figures"].values()
        assert ours > 0
        assert peer > 0
        assert one["ratio"] == pytest.approx(peer / ours, abs=0.001)

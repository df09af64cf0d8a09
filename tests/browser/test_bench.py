"""The benchmark of pages measures what it says, in short."""

from __future__ import annotations

import pytest

from benchmarks import pages
from benchmarks.result import Result


def test_pages_are_compared_with_those_of_rally(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pages, "SECONDS", 30)
    monkeypatch.setattr(pages, "DISTINCT", 3)
    monkeypatch.setattr(pages, "ROUNDS", 1)
    found = [one for one in pages.compare() if isinstance(one, Result)]
    assert [one.subject.rpartition(" ")[2] for one in found] == [
        "draw",
        "size",
        "open",
    ]
    for one in found:
        ours, peer, *_ = one.figures.values()
        assert ours > 0
        assert peer > 0
        assert one.ratio == peer / ours

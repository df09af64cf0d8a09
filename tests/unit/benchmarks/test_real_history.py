"""Real nights: the table that is made of them, and one that fails."""

import dataclasses
import os

import pytest

from benchmarks import real_history
from tests.unit.history import test_storage
from tests.unit.report import test_runs_page

SLOWER = test_storage.under(arguments="slower")
QUIET = test_runs_page.QUIET


def nights(*values):
    """Return quiet nights, then these with a slower target."""
    every = test_runs_page.nights(*QUIET, *values)
    for place in range(len(QUIET), len(every)):
        every[place] = dataclasses.replace(every[place], conditions=SLOWER)
    return every


def test_nights_that_came_to_the_same_share_a_row():
    assert real_history.table(nights(13.0, 13.0)).splitlines() == [
        "| night | target | metrics compared | worse | suspected |",
        "|---|---|---|---|---|",
        "| 7 to 10 | 500m of a core | 1 | none | none |",
        "| 11 | 40m of a core | 1 | none | bay_create_time.max_s, 30% worse |",
        "| 12 | 40m of a core | 1 | bay_create_time.max_s, 30% worse | none |",
    ]


def test_a_night_that_was_not_compared_is_in_no_row():
    runs = nights()
    runs[7] = test_storage.nightly(8, metrics=(), state="broken")
    assert [
        line.split(" | ")[0] for line in real_history.table(runs).splitlines()
    ] == ["| night", "|---|---|---|---|---|", "| 7", "| 9 to 10"]


@pytest.mark.parametrize(
    ("says", "status"), [("   0.1 s  no cloud", 3), ("Night 1: broken", 3)]
)
def test_a_night_that_fails_is_told_in_a_sentence(
    tmp_path, monkeypatch, capsys, says, status
):
    job = tmp_path / "rally-magnum-nightly"
    job.write_text(f"#!/bin/sh\necho '{says}'\nexit {status}\n")
    job.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert real_history.main([str(tmp_path / "nights")]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        says,
        "real_history: Night 1 of 24 failed with exit status 3, for the "
        "reason above; mend that and begin again with an empty folder.",
    ]

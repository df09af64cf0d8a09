"""The pages that the browser opens, made as users get them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from rally_magnum_scale.history import storage
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.nightly import folders
from rally_magnum_scale.nightly import outcome
from rally_magnum_scale.nightly import pages as night_pages
from rally_magnum_scale.report import model
from rally_magnum_scale.report import new_runs
from rally_magnum_scale.report import page
from rally_magnum_scale.report import runs_page
from tests.unit import factories
from tests.unit.report import test_page
from tests.unit.report import test_runs_page

SLA = {**factories.GOOD_SLA, "bay_create_time": {"max_s": 1}}


def sla() -> str:
    """One bound fails, runs before stand beside it, and events are marked."""
    events = [
        factories.event(7, "node_lost", "the node rms-3 was stopped"),
        factories.event(9, "pods_ready", "3 of 3 targets are Ready"),
    ]
    run = factories.run(events=events)
    raw = records.dump({"record": "end", **one.to_json()} for one in [run.end])
    report = factories.report(
        factories.workload(factories.iteration(of_run=run, raw=raw), sla=SLA)
    )
    (own,) = new_runs.of_report(report)
    before = [
        dataclasses.replace(own, task=f"{days}", at_s=own.at_s - days * 86_400)
        for days in range(1, 9)
    ]
    return page.render(report, before)


def runs() -> str:
    """The page over many runs, of which the newest are worse."""
    values = [*test_runs_page.QUIET, 13.0, 13.1, 12.9]
    return runs_page.render(test_runs_page.nights(*values))


def nights(folder: Path) -> str:
    """The page over the nights: one fine, one worse, one killed."""
    for number, worse in enumerate(((), ("bay_create_time.max_s: …",))):
        path = folders.end(folders.begin(folder, number * 86_400.0))
        task = outcome.TaskOutcome(
            "2m-rps",
            storage.HOLDS,
            "All 8 bounds hold.",
            65.0,
            "uuid",
            worse,
            page="2m-rps.html",
        )
        outcome.Night(
            path.name, number * 86_400.0, 70.0, "the sandbox", (task,)
        ).write(path / folders.SUMMARY)
    folders.begin(folder, 2 * 86_400.0)
    folders.set_aside_killed(folder)
    return night_pages.render(folder, "runs.html")


def _of(report: model.Report) -> Callable[[], str]:
    return lambda: page.render(report)


# By name: what makes it, and words of its verdict.
PAGES: dict[str, tuple[Callable[[], str], str]] = {
    "sla": (sla, "1 of 8 bounds does not hold"),
    "large": (factories.hour_page, "All 8 bounds hold."),
    "runs": (runs, "Worse: bay_create_time.max_s: 29% worse"),
    **{
        name: (_of(test_page.REPORTS[name]), words)
        for name, words in (
            ("three", "All 8 bounds hold."),
            ("updated", "bounds"),
            ("lost nodes", "bounds"),
            ("broken context", "Nothing was measured"),
        )
    },
}

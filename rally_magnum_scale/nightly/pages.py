"""Write the pages over all nights, and over all runs."""

from __future__ import annotations

import dataclasses
import pathlib

from rally_magnum_scale import files
from rally_magnum_scale.history import storage
from rally_magnum_scale.nightly import folders
from rally_magnum_scale.nightly import outcome
from rally_magnum_scale.nightly import settings as nightly_settings
from rally_magnum_scale.report import conclusion
from rally_magnum_scale.report import formatting
from rally_magnum_scale.report import openmetrics
from rally_magnum_scale.report import page
from rally_magnum_scale.report import runs_page


def write(settings: nightly_settings.Settings) -> None:
    """Write the pages over all nights and all runs, and the metrics."""
    runs = storage.read(settings.folder / folders.HISTORY, missing_ok=True)
    # The pages of removed nights no longer exist, so don't link to them.
    linked = [
        one
        if (settings.folder / one.link).is_file()
        else dataclasses.replace(one, link="")
        for one in runs
    ]
    drawn = {
        folders.RUNS_PAGE: runs_page.render(linked, settings.across),
        folders.METRICS: openmetrics.render(runs),
        "index.html": render(settings.folder, folders.RUNS_PAGE),
    }
    for name, text in drawn.items():
        files.atomic_write(settings.folder / name, text)


def render(folder: pathlib.Path, runs: str) -> str:
    """Return the page over the nights of a folder.

    :returns: a complete HTML page that needs no network and no script
    """
    rows = [
        {"folder": path.name, "summary": _summary(path)}
        for path in folders.nights(folder)
    ]
    text: str = (
        page.environment()
        .get_template("nights.html.j2")
        .render(
            rows=rows,
            runs=runs,
            when=formatting.when,
            states=conclusion.LOOKS,
            took=outcome.words_of,
        )
    )
    return text


def _summary(path: pathlib.Path) -> outcome.Night | None:
    """Return the outcome of a night; None if it was killed."""
    try:
        return outcome.Night.read(path / folders.SUMMARY)
    except ValueError:
        return None

"""The HTML page that lists the kept nights and their outcomes."""

from __future__ import annotations

import dataclasses
import pathlib

from rally_magnum_scale.nightly import folders
from rally_magnum_scale.nightly import outcome
from rally_magnum_scale.report import conclusion
from rally_magnum_scale.report import formatting
from rally_magnum_scale.report import page


@dataclasses.dataclass(frozen=True)
class _Row:
    """A night, ready for the template.

    :param summary: outcome of the night; None if it was killed
    """

    folder: str
    summary: outcome.Night | None


def render(folder: pathlib.Path, runs: str) -> str:
    """Return the page over the nights of a folder.

    :param runs: name of the page over all runs
    :returns: a complete HTML page that needs no network and no script
    """
    rows = [_Row(path.name, _summary(path)) for path in folders.nights(folder)]
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
    try:
        return outcome.Night.read(path / folders.SUMMARY)
    except ValueError:
        return None

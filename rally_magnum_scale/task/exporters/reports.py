"""Export types of Rally: the HTML page and the plain-text table."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any
from typing import ClassVar

from rally.task import exporter

from rally_magnum_scale.report import model
from rally_magnum_scale.report import page
from rally_magnum_scale.report import past
from rally_magnum_scale.report import table
from rally_magnum_scale.task.exporters import results


class _ReportExporter(exporter.TaskExporter):
    render: ClassVar[Callable[[model.Report], str]]

    def generate(self) -> dict[str, Any]:
        """Render the report.

        :returns: the file to write; without a file, the text to print
        """
        drawn = type(self).render(results.read(self.tasks_results))
        if self.output_destination in (None, "", "-"):
            return {"print": drawn}
        path = pathlib.Path(self.output_destination).expanduser()
        return {
            "files": {str(path): drawn},
            "open": path.absolute().as_uri(),
        }


@exporter.configure("magnum-scale-html")
class PageExporter(_ReportExporter):
    """One offline HTML page: SLA verdicts, plots, steps, life of the bay."""

    @staticmethod
    def render(report: model.Report) -> str:
        """Render the page with the history from the environment variable."""
        return page.render(report, past.read())


@exporter.configure("magnum-scale-table")
class TableExporter(_ReportExporter):
    """The SLA verdicts as a plain-text table for a terminal."""

    render = staticmethod(table.render)

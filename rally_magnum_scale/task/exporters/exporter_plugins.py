"""Export types of Rally: page, table, JUnit XML, history and OpenMetrics."""

from __future__ import annotations

import pathlib
from typing import Any

from rally.common.io import junit
from rally.task import exporter

from rally_magnum_scale import exceptions
from rally_magnum_scale import files
from rally_magnum_scale.history import storage
from rally_magnum_scale.report import conclusion
from rally_magnum_scale.report import openmetrics
from rally_magnum_scale.report import page
from rally_magnum_scale.report import past
from rally_magnum_scale.report import states
from rally_magnum_scale.report import table
from rally_magnum_scale.task.exporters import result_files
from rally_magnum_scale.task.exporters import results


class _Exporter(exporter.TaskExporter):
    """Exports a text, which Rally writes to a file or prints."""

    def render(self) -> str:
        raise NotImplementedError

    def generate(self) -> dict[str, Any]:
        """Return the file to write; without a file, the text to print."""
        text = self.render()
        if self.path is None:
            return {"print": text}
        return {
            "files": {str(self.path): text},
            "open": self.path.absolute().as_uri(),
        }

    @property
    def path(self) -> pathlib.Path | None:
        if self.output_destination in (None, "", "-"):
            return None
        return pathlib.Path(self.output_destination).expanduser()


@exporter.configure("magnum-scale-html")
class PageExporter(_Exporter):
    """One offline HTML page: SLA verdicts, plots, steps, life of the bay."""

    def render(self) -> str:
        """Render the page with the history from the environment variable."""
        return page.render(results.read(self.tasks_results), past.read())


@exporter.configure("magnum-scale-table")
class TableExporter(_Exporter):
    """The SLA verdicts as a plain-text table for a terminal."""

    def render(self) -> str:
        return table.render(results.read(self.tasks_results))


@exporter.configure("magnum-scale-junit")
class JUnitExporter(_Exporter):
    """JUnit XML in which a workload passes only if its overall state is good.

    Rally's ``junit-xml`` considers only the criteria of the SLA section.
    Here a workload also fails if any part of its load is invalid, or if an
    iteration, a context or the task failed.
    """

    def render(self) -> str:
        root = junit.JUnitXML()
        for task in self.tasks_results:
            _add_suite(root, task)
        return str(root.to_string())


@exporter.configure("magnum-scale-history")
class HistoryExporter(_Exporter):
    """Appends one line per workload to a history file."""

    def generate(self) -> dict[str, Any]:
        """Append the tasks to the file.

        Rally would replace the lines of other runs, so this method writes
        the file itself.

        :returns: a text to print that says what was added
        :raises InvalidInput: when the file can't be read or written
        """
        if self.path is None:
            raise exceptions.InvalidInput(
                "--to: magnum-scale-history appends to a file, but no file "
                "is given. Give one, such as --to history.jsonl."
            )
        added = result_files.runs_of(self.tasks_results)
        every = storage.append(self.path, added)
        lines = [f"{one.name}: {one.state}. {one.sentence}" for one in added]
        counted = f"{self.path} has {len(every)} runs."
        return {"print": "\n".join([*lines, counted])}


@exporter.configure("magnum-scale-openmetrics")
class OpenMetricsExporter(_Exporter):
    """Verdicts and metrics as OpenMetrics, for a textfile collector."""

    def generate(self) -> dict[str, Any]:
        """Write the file; without a file, return the text to print.

        The file is replaced atomically, so that a collector never reads
        half of it.  Rally would not do so.

        :raises InvalidInput: when the file can't be written
        """
        text = openmetrics.render(result_files.runs_of(self.tasks_results))
        if self.path is None:
            return {"print": text}
        try:
            files.atomic_write(self.path, text)
        except OSError as error:
            raise exceptions.InvalidInput(
                f"--to: {self.path} can't be written: {error.strerror}."
            ) from error
        return {"print": f"{self.path} is written."}


def _add_suite(root: junit.JUnitXML, task: results.Result) -> None:
    report = results.read([task])
    suite = root.add_test_suite(
        id=report.task,
        time=_seconds(sum(one.duration_s for one in report.workloads)),
        timestamp=report.created_at,
    )
    if not report.workloads:
        case = suite.add_test_case("Rally", "task", id=report.task, time="0")
        sentence = conclusion.conclude([], report.errors).sentence
        case.mark_as_failed(_plain(f"{storage.BROKEN}: {sentence}"))
    for workload in report.workloads:
        class_name, _, name = workload.scenario.rpartition(".")
        case = suite.add_test_case(
            class_name,
            name,
            id=workload.uuid,
            time=_seconds(workload.duration_s),
            timestamp=workload.created_at,
        )
        state = states.of_task([workload], report.errors)
        if state != storage.HOLDS:
            found = conclusion.conclude([workload], report.errors)
            case.mark_as_failed(_plain(f"{state}: {found.sentence}"))


def _seconds(value: float) -> str:
    return f"{value:.2f}"


def _plain(text: str) -> str:
    """Remove characters that XML can't hold, such as terminal colours."""
    return "".join(one for one in text if one.isprintable() or one == "\n")

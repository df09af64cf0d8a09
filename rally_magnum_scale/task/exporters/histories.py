"""The history and its newest figures as export types of Rally."""

from __future__ import annotations

import pathlib
from typing import Any

from rally.task import exporter

from rally_magnum_scale import exceptions
from rally_magnum_scale import files
from rally_magnum_scale.report import history
from rally_magnum_scale.report import openmetrics
from rally_magnum_scale.task.exporters import result_files


@exporter.configure("magnum-scale-history")
class HistoryExporter(exporter.TaskExporter):
    """Adds each workload as a line to the history of runs in a file."""

    def generate(self) -> dict[str, Any]:
        """Add the tasks to the file.

        It is not left to Rally to write it: that would replace what other
        runs have added.

        :returns: what was added, to be printed
        :raises InvalidInput: when the file can't be read or written
        """
        if self.output_destination in (None, "", "-"):
            raise exceptions.InvalidInput(
                "--to: magnum-scale-history adds to a file; say which, such "
                "as --to history.jsonl."
            )
        path = pathlib.Path(self.output_destination).expanduser()
        added = result_files.runs_of(list(self.tasks_results))
        every = history.append(path, added)
        lines = [f"{one.name}: {one.state}. {one.sentence}" for one in added]
        counted = f"{path} holds {len(every)} runs."
        return {"print": "\n".join([*lines, counted])}


@exporter.configure("magnum-scale-openmetrics")
class OpenMetricsExporter(exporter.TaskExporter):
    """Verdicts and figures as OpenMetrics, for a textfile collector."""

    def generate(self) -> dict[str, Any]:
        """Write the file, or return its text to print without one.

        It is not left to Rally to write it: a collector could read a part.

        :raises InvalidInput: when the file can't be written
        """
        text = openmetrics.render(
            result_files.runs_of(list(self.tasks_results))
        )
        if self.output_destination in (None, "", "-"):
            return {"print": text}
        path = pathlib.Path(self.output_destination).expanduser()
        try:
            files.atomic_write(path, text)
        except OSError as error:
            raise exceptions.InvalidInput(
                f"--to: {path} can't be written: {error.strerror}."
            ) from error
        return {"print": f"{path} is written."}

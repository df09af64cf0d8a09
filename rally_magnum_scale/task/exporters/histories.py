"""Export types of Rally: the run history and OpenMetrics."""

from __future__ import annotations

import pathlib
from typing import Any

from rally.task import exporter

from rally_magnum_scale import exceptions
from rally_magnum_scale import files
from rally_magnum_scale.history import storage
from rally_magnum_scale.report import openmetrics
from rally_magnum_scale.task.exporters import result_files


@exporter.configure("magnum-scale-history")
class HistoryExporter(exporter.TaskExporter):
    """Appends one line per workload to a history file."""

    def generate(self) -> dict[str, Any]:
        """Append the tasks to the file.

        Rally would replace the lines of other runs, so this method writes
        the file itself.

        :returns: a text to print that says what was added
        :raises InvalidInput: when the file can't be read or written
        """
        if self.output_destination in (None, "", "-"):
            raise exceptions.InvalidInput(
                "--to: magnum-scale-history appends to a file, but no file "
                "is given. Give one, such as --to history.jsonl."
            )
        path = pathlib.Path(self.output_destination).expanduser()
        added = result_files.runs_of(list(self.tasks_results))
        every = storage.append(path, added)
        lines = [f"{one.name}: {one.state}. {one.sentence}" for one in added]
        counted = f"{path} holds {len(every)} runs."
        return {"print": "\n".join([*lines, counted])}


@exporter.configure("magnum-scale-openmetrics")
class OpenMetricsExporter(exporter.TaskExporter):
    """Verdicts and metrics as OpenMetrics, for a textfile collector."""

    def generate(self) -> dict[str, Any]:
        """Write the file; without a file, return the text to print.

        The file is replaced atomically, so that a collector never reads
        half of it.  Rally would not do so.

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

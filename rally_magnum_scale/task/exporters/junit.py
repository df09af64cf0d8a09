"""Export type of Rally: JUnit XML for a CI system."""

from __future__ import annotations

import pathlib
from typing import Any

from rally.common.io import junit
from rally.task import exporter

from rally_magnum_scale.history import storage
from rally_magnum_scale.report import conclusion
from rally_magnum_scale.report import states
from rally_magnum_scale.task.exporters import results


@exporter.configure("magnum-scale-junit")
class JUnitExporter(exporter.TaskExporter):
    """JUnit XML in which a workload passes only if its overall state is good.

    Rally's ``junit-xml`` considers only the criteria of the SLA section.
    Here a workload also fails if any part of its load is invalid, or if an
    iteration, a context or the task failed.
    """

    def generate(self) -> dict[str, Any]:
        """Write the XML.

        :returns: the file to write; without a file, the text to print
        """
        root = junit.JUnitXML()
        for task in self.tasks_results:
            _add(root, task)
        text = root.to_string()
        if self.output_destination in (None, "", "-"):
            return {"print": text}
        path = pathlib.Path(self.output_destination).expanduser()
        return {
            "files": {str(path): text},
            "open": path.absolute().as_uri(),
        }


def _add(root: junit.JUnitXML, task: results.Result) -> None:
    report = results.read([task])
    suite = root.add_test_suite(
        id=report.task,
        time=_seconds(sum(one.duration_s for one in report.workloads)),
        timestamp=report.created_at,
    )
    if not report.workloads:
        case = suite.add_test_case("Rally", "task", id=report.task, time="0")
        said = conclusion.conclude([], report.errors).sentence
        case.mark_as_failed(_plain(f"{storage.BROKEN}: {said}"))
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
            said = conclusion.conclude([workload], report.errors).sentence
            case.mark_as_failed(_plain(f"{state}: {said}"))


def _seconds(value: float) -> str:
    return f"{value:.2f}"


def _plain(text: str) -> str:
    """Remove characters that XML can't hold, such as terminal colours."""
    return "".join(one for one in text if one.isprintable() or one == "\n")

"""The SLA criterion that compares a run with its history."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

from rally.common import validation
from rally.task import sla

from rally_magnum_scale import exceptions
from rally_magnum_scale.measurement import conditions
from rally_magnum_scale.measurement import metrics
from rally_magnum_scale.measurement import records
from rally_magnum_scale.measurement import trend
from rally_magnum_scale.report import comparison
from rally_magnum_scale.report import history
from rally_magnum_scale.task import output
from rally_magnum_scale.task.sla import judging

_NAMES = {"type": "array", "items": {"type": "string"}, "uniqueItems": True}
_RULES = {
    "last": {
        "type": "integer",
        "minimum": 1,
        "description": "How many of the newest runs must be worse; default: "
        f"{comparison.CONFIRMED}, as one may be an outlier.",
    },
    "min_runs": {
        "type": "integer",
        "minimum": 5,
        "description": "Comparable runs that are needed before them.",
    },
    "min_change_ratio": {
        "type": "number",
        "minimum": 0,
        "description": "By which share a metric must be worse.",
    },
    "confidence": {
        "type": "number",
        "minimum": 0.5,
        "exclusiveMaximum": 1,
        "description": "That it is not noise, over all metrics together.",
    },
    "baseline": {
        "type": "string",
        "minLength": 1,
        "description": "The id of a run to compare with; default: the level "
        "of the runs before.",
    },
}


@validation.add("magnum_scale_history")
@sla.configure(name="no_regression")
@judging.fails_closed
class NoRegression(sla.SLA):
    """No metric may be worse than in the comparable runs of a history.

    ``history`` is the file that ``rally task export --type
    magnum-scale-history`` adds to; one that is not there is one without
    runs.  ``metrics`` names some, such as ``request_latency`` or
    ``request_latency.p99_ms step 2``; else all count.  ``across`` names
    conditions in which runs may differ, ``baseline`` one run to compare
    with.  Too few comparable runs hold, and the detail says so.
    """

    CONFIG_SCHEMA: dict[str, Any] = {
        "type": "object",
        "properties": {
            "history": {
                "type": "string",
                "minLength": 1,
                "description": "The file of the runs before.",
            },
            "metrics": {
                **_NAMES,
                "description": "Names of metrics, of their criteria, or of "
                "criterion and bound; default: all that was measured.",
            },
            "across": {
                "type": "array",
                "description": "Conditions in which compared runs may "
                "differ; default: none.",
                "items": {"enum": list(conditions.KEYS)},
                "uniqueItems": True,
            },
            **_RULES,
        },
        "required": ["history"],
        "additionalProperties": False,
    }

    def __init__(self, criterion_value: dict[str, Any]) -> None:
        super().__init__(criterion_value)
        self._ask = ask_of(criterion_value)
        self._runs: list[records.Run] = []
        self._began_s: list[float] = []
        self._said: list[str] = []

    def add_iteration(self, iteration: Mapping[str, Any]) -> bool:
        """Take in an iteration; the comparison needs them all.

        :returns: True: it may still hold
        """
        run = output.read_run(iteration)
        # Windows are long, and no metric reads them.
        self._runs.append(dataclasses.replace(run, windows=()))
        self._began_s.append(iteration["timestamp"])
        return True

    def merge(self, other: NoRegression) -> bool:
        """Take in the iterations of another process."""
        self._runs += other._runs
        self._began_s += other._began_s
        return True

    def details(self) -> str:
        """Compare, and say what came of it."""
        return f"{'; '.join(self._said)} - {self.status()}"

    def result(self) -> dict[str, Any]:
        """Compare and return the result, as Rally stores it."""
        self.success, self._said = self._compare()
        stored: dict[str, Any] = super().result()
        return stored

    def _compare(self) -> tuple[bool, list[str]]:
        if not self._runs:
            return False, ["no iteration was measured"]
        path = pathlib.Path(self.criterion_value["history"])
        try:
            known = history.read(path, missing_ok=True)
        except exceptions.InvalidInput as error:
            return False, [str(error).rstrip(".")]
        found = comparison.compare(
            known,
            conditions.find(self._runs),
            metrics.read(self._runs),
            trend.Point(self._task(), min(self._began_s), 0.0),
            self._ask,
        )
        return found.holds, found.sentences()

    def _task(self) -> str:
        tasks = (run.asked["task"] for run in self._runs if run.asked)
        return next(tasks, "of now")


def ask_of(config: Mapping[str, Any]) -> comparison.Ask:
    """Return what a configuration asks for."""
    chosen = {k: v for k, v in config.items() if k in _RULES}
    default = comparison.Ask()
    return comparison.Ask(
        metrics=tuple(config.get("metrics", ())),
        across=tuple(config.get("across", ())),
        rules=dataclasses.replace(default.rules, **chosen),
    )

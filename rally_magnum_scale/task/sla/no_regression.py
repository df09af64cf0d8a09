"""The SLA criterion that compares a run with its history."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any
from typing import Self

from rally.common import validation
from rally.task import sla

from rally_magnum_scale import exceptions
from rally_magnum_scale.history import comparison
from rally_magnum_scale.history import storage
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.measurement import conditions
from rally_magnum_scale.measurement import metrics
from rally_magnum_scale.measurement import trend
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
        "description": "1 - alpha: a metric is worse only if its p-value is "
        "alpha or less, over all metrics together.",
    },
    "baseline": {
        "type": "string",
        "minLength": 1,
        "description": "The id of a run to compare with; default: the level "
        "of the runs before.",
    },
}
_LEARNING = "learning_passes"


@validation.add("magnum_scale_history")
@sla.configure(name="no_regression")
class NoRegressionCriterion(judging.Criterion):
    """No metric may be worse than in the comparable runs of a history.

    ``history`` is the file to which ``rally task export --type
    magnum-scale-history`` appends.  Before the first run it does not exist,
    and the detail says so.  An empty file fails.  ``metrics`` limits the
    comparison to some metrics, such as ``request_latency`` or
    ``request_latency.p99_ms step 2``.  ``across`` names conditions in which
    compared runs may differ, and ``baseline`` names one run to compare with.
    While there are too few comparable runs, the criterion is ``learning``, and
    ``learning_passes`` decides whether it holds.  The criterion fails if a
    metric that was measured before is missing or does not count.  It also
    fails if an iteration failed.
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
            _LEARNING: {
                "type": "boolean",
                "description": "Whether the criterion holds while there are "
                "too few runs to compare with; default: true.",
            },
        },
        "required": ["history"],
        "additionalProperties": False,
    }

    def __init__(self, criterion_value: dict[str, Any]) -> None:
        super().__init__(criterion_value)
        self._ask = request_of(criterion_value)
        self._runs: list[records.Run] = []
        self._began_s: list[float] = []
        self._failed = 0
        self._state = comparison.NOT_COMPARED
        self._sentences: list[str] = []

    def judge(self, iteration: Mapping[str, Any]) -> bool:
        """Add an iteration; the comparison needs all of them."""
        self._failed += bool(iteration["error"])
        run = output.read_run(iteration)
        # Windows take much memory, and no metric reads them.
        self._runs.append(dataclasses.replace(run, windows=()))
        self._began_s.append(iteration["timestamp"])
        return not self._failed

    def join(self, other: Self) -> bool:
        self._runs += other._runs
        self._began_s += other._began_s
        self._failed += other._failed
        return not self._failed

    def describe(self) -> str:
        """Describe the result of the comparison; learning is not passing."""
        learning = self.success and self._state == comparison.LEARNING
        status = "Learning" if learning else self.status()
        return f"{'; '.join(self._sentences)} - {status}"

    def conclude(self) -> None:
        self.success, self._state, self._sentences = self._compare()

    def _compare(self) -> tuple[bool, str, list[str]]:
        """Return whether the criterion holds, its state, and sentences why."""
        try:
            path = pathlib.Path(self.criterion_value["history"]).expanduser()
            known = storage.read_before(path)
            self._check_iterations()
        except exceptions.InvalidInput as error:
            return False, comparison.NOT_COMPARED, [str(error).rstrip(".")]
        tasks = (
            run.conditions["task"] for run in self._runs if run.conditions
        )
        task = next(tasks, "of now")
        found = comparison.compare(
            known or [],
            conditions.find(self._runs),
            metrics.read(self._runs),
            trend.Point(task, min(self._began_s), 0.0),
            self._ask,
        )
        sentences = found.sentences()
        if known is None:
            sentences.append(
                f"there is no file {path} yet; unless this is the first run, "
                "check its name"
            )
        return found.holds, found.state, sentences

    def _check_iterations(self) -> None:
        """Refuse an incomplete run, because its values are of a part only.

        :raises InvalidInput: names what is missing
        """
        if not self._runs:
            raise exceptions.InvalidInput("no iteration was measured")
        if self._failed:
            raise exceptions.InvalidInput(
                f"{self._failed} of {len(self._runs)} iterations failed, so "
                "the run is not compared"
            )


def request_of(config: Mapping[str, Any]) -> comparison.Ask:
    """Return the comparison that a configuration describes."""
    chosen = {k: v for k, v in config.items() if k in _RULES}
    default = comparison.Ask()
    return comparison.Ask(
        metrics=tuple(config.get("metrics", ())),
        across=tuple(config.get("across", ())),
        rules=dataclasses.replace(default.rules, **chosen),
        learning_passes=config.get(_LEARNING, default.learning_passes),
    )

"""The SLA criteria: one plugin for each criterion of the table.

The table is :data:`rally_magnum_scale.measurement.criteria.CRITERIA`.  Each
plugin asks :mod:`rally_magnum_scale.measurement.verdicts` and only keeps, for
each of its bounds, the verdict that decides.  An iteration that failed has
no data, and a criterion without data fails.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any
from typing import ClassVar

from rally.common import validation
from rally.task import sla

from rally_magnum_scale.measurement import criteria
from rally_magnum_scale.measurement import verdicts
from rally_magnum_scale.task import output
from rally_magnum_scale.task.sla import judging


@judging.fails_closed
class _Criterion(sla.SLA):
    """Judges every iteration; the worst one decides."""

    criterion: ClassVar[str]

    def __init__(self, criterion_value: dict[str, Any]) -> None:
        super().__init__(criterion_value)
        self.success = False
        self._deciding: dict[str, verdicts.Verdict] = {}

    def add_iteration(self, iteration: Mapping[str, Any]) -> bool:
        """Judge one iteration.

        :returns: whether the criterion holds so far
        """
        run = output.read_run(iteration)
        return self._decide(
            verdicts.judge(self.criterion, self.criterion_value, run)
        )

    def merge(self, other: _Criterion) -> bool:
        """Take in what another process judged."""
        return self._decide(other._deciding.values())

    def details(self) -> str:
        """Say each deciding verdict, with value and bound."""
        if not self._deciding:
            return f"{self.criterion}: no iteration was measured - Failed"
        said = "; ".join(v.describe() for v in self._deciding.values())
        return f"{said} - {self.status()}"

    def _decide(self, judged: Iterable[verdicts.Verdict]) -> bool:
        for verdict in judged:
            known = self._deciding.get(verdict.bound_key, verdict)
            self._deciding[verdict.bound_key] = verdicts.worst(
                [known, verdict]
            )
        self.success = bool(self._deciding) and all(
            v.passed for v in self._deciding.values()
        )
        return self.success


def _plugin(criterion: criteria.Criterion) -> type[_Criterion]:
    """Return the SLA plugin of a criterion; Rally shows its schema."""
    title = criterion.name.title().replace("_", "")
    plugin = type(
        f"{title}Criterion",
        (_Criterion,),
        {
            "__doc__": criterion.summary,
            "__module__": __name__,
            "criterion": criterion.name,
            "CONFIG_SCHEMA": criterion.schema(),
        },
    )
    plugin = sla.configure(name=criterion.name)(plugin)
    if criterion.subject == "step":
        plugin = validation.add("magnum_scale_step_or_event")(plugin)
    return plugin


PLUGINS = tuple(map(_plugin, verdicts.CRITERIA.values()))

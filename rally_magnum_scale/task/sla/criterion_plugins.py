"""The SLA plugins: one for each criterion in the table.

The table is :data:`rally_magnum_scale.measurement.criteria.CRITERIA`.  A
plugin gets its verdicts from :mod:`rally_magnum_scale.measurement.verdicts`,
and keeps only the deciding verdict on each bound.  A failed iteration has no
data, and a criterion without data fails.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any
from typing import ClassVar
from typing import Self

from rally.common import validation
from rally.task import sla

from rally_magnum_scale.measurement import criteria
from rally_magnum_scale.measurement import verdicts
from rally_magnum_scale.task import output
from rally_magnum_scale.task.sla import judging


class _Criterion(judging.Criterion):
    """Judges every iteration; the worst verdict on each bound decides."""

    criterion: ClassVar[str]

    def __init__(self, criterion_value: dict[str, Any]) -> None:
        super().__init__(criterion_value)
        self._deciding: dict[str, verdicts.Verdict] = {}

    def judge(self, iteration: Mapping[str, Any]) -> bool:
        run = output.read_run(iteration)
        return self._decide(
            verdicts.judge(self.criterion, self.criterion_value, run)
        )

    def join(self, other: Self) -> bool:
        return self._decide(other._deciding.values())

    def describe(self) -> str:
        """Describe each deciding verdict, with its value and its bound."""
        if not self._deciding:
            return f"{self.criterion}: no iteration was measured - Failed"
        sentences = "; ".join(v.describe() for v in self._deciding.values())
        return f"{sentences} - {self.status()}"

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

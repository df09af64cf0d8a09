"""The arguments of the search for the highest rate."""

from __future__ import annotations

import dataclasses
from typing import Annotated
from typing import Any

from rally.task.scenario import Field
from typing_extensions import TypedDict

from rally_magnum_scale.in_bay.stats import rate_search
from rally_magnum_scale.in_bay.stats import trials
from rally_magnum_scale.task.scenarios import bounded
from rally_magnum_scale.task.scenarios import signature
from rally_magnum_scale.task.scenarios import workload_arguments


@signature.closed
class BoundsArgument(TypedDict, total=False):
    """What must hold for a rate to hold."""

    p50_ms: bounded.Milliseconds
    p90_ms: bounded.Milliseconds
    p99_ms: bounded.Milliseconds
    p99_9_ms: bounded.Milliseconds
    max_ms: bounded.Milliseconds
    max_error_ratio: Annotated[float, Field(ge=0, le=1)]


@dataclasses.dataclass(frozen=True, kw_only=True)
class SearchArguments(workload_arguments.WorkloadArguments):
    """The search for the highest rate that a bay serves well.

    :param bounds: what must hold: ``p50_ms``, ``p90_ms``, ``p99_ms``,
        ``p99_9_ms`` and ``max_ms`` of the latency, ``max_error_ratio``; at
        least one.  99 % of the offer must be answered as expected besides
    :param start_rps: the first rate; by default a closed loop is run first,
        and the search begins near the rate that it reaches
    :param min_rps: the search goes no lower (default: a hundredth of the
        highest rate that it has tried)
    :param max_rps: the search goes no higher (default: no limit)
    :param precision: how close the highest rate that holds and the lowest
        that does not must come, as a share (default 0.05)
    :param step_s: seconds for which a rate is held (default 10)
    :param ramp_s: seconds of the ramp before that (default 2)
    :param confirm_s: seconds of the step that confirms the rate found
        (default 30)
    :param max_steps: all steps together, after which the search ends with
        what it knows (default 20)
    """

    bounds: BoundsArgument
    start_rps: bounded.Rate | None = None
    min_rps: bounded.Rate | None = None
    max_rps: bounded.Rate | None = None
    precision: Annotated[float, Field(ge=0.001, le=1)] = 0.05
    step_s: bounded.Count = 10
    ramp_s: Annotated[int, Field(ge=0)] = 2
    confirm_s: bounded.Count = 30
    max_steps: Annotated[int, Field(ge=2)] = 20

    def _rates(self) -> dict[str, Any]:
        wanted = trials.Search(
            **{
                field.name: getattr(self, field.name)
                for field in dataclasses.fields(trials.Search)
            }
        )
        return {"plan": rate_search.first_plan(wanted), "search": wanted}

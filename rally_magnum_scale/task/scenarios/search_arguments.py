"""Arguments of the search for the highest rate."""

from __future__ import annotations

import dataclasses
from typing import Annotated
from typing import Any

from rally.task.scenario import Field
from typing_extensions import TypedDict

from rally_magnum_scale.in_bay.stats import rate_search
from rally_magnum_scale.in_bay.stats import trials
from rally_magnum_scale.task.scenarios import signature
from rally_magnum_scale.task.scenarios import workload_arguments


@signature.closed
class BoundsArgument(TypedDict, total=False):
    """Bounds that must hold at a rate."""

    p50_ms: signature.Milliseconds
    p90_ms: signature.Milliseconds
    p99_ms: signature.Milliseconds
    p99_9_ms: signature.Milliseconds
    max_ms: signature.Milliseconds
    max_error_ratio: Annotated[float, Field(ge=0, le=1)]


@dataclasses.dataclass(frozen=True, kw_only=True)
class SearchArguments(workload_arguments.WorkloadArguments):
    """The search for the highest rate of a bay.

    :param bounds: at least one bound of ``p50_ms``, ``p90_ms``, ``p99_ms``,
        ``p99_9_ms`` and ``max_ms`` of the latency and ``max_error_ratio``.
        In addition, 99 % of the offered requests must get the expected
        response
    :param start_rps: the first rate; by default the search first runs a
        closed loop and begins near the rate that the loop achieves
    :param min_rps: lowest rate of the search (default: a hundredth of the
        highest rate that it has tried)
    :param max_rps: highest rate of the search (default: no limit)
    :param precision: the search ends when the distance between the highest
        rate that holds and the lowest rate that does not is at most this
        share (default 0.05)
    :param step_s: seconds for which a rate is held (default 10)
    :param ramp_s: seconds of the ramp before that (default 2)
    :param confirm_s: seconds of the step that confirms the result
        (default 30)
    :param max_steps: maximum number of all steps, after which the search
        ends with the best result so far (default 20)
    """

    bounds: BoundsArgument
    start_rps: signature.Rate | None = None
    min_rps: signature.Rate | None = None
    max_rps: signature.Rate | None = None
    precision: Annotated[float, Field(ge=0.001, le=1)] = 0.05
    step_s: signature.Count = 10
    ramp_s: Annotated[int, Field(ge=0)] = 2
    confirm_s: signature.Count = 30
    max_steps: Annotated[int, Field(ge=2)] = 20

    def _rates(self) -> dict[str, Any]:
        search = trials.Search(**self._fields_of(trials.Search))
        return {"plan": rate_search.first_plan(search), "search": search}

"""Arguments of a load in steps, of its disruptions, and of a search."""

from __future__ import annotations

import dataclasses
from typing import Annotated
from typing import Any
from typing import Literal
from typing import NotRequired

from rally.task.scenario import Field
from typing_extensions import TypedDict

from rally_magnum_scale.in_bay.stats import rate_search
from rally_magnum_scale.in_bay.stats import steps as plans
from rally_magnum_scale.in_bay.stats import trials
from rally_magnum_scale.task.scenarios import signature
from rally_magnum_scale.task.scenarios import workload_arguments
from rally_magnum_scale.workload import events
from rally_magnum_scale.workload import locust_file

# Options of our engine, which a user's locustfile does not use.
ENGINE_ONLY = (
    "connections_per_worker",
    "target_address",
    "request",
    "keep_alive",
    "arrivals",
)


@signature.closed
class StepArgument(TypedDict):
    rate_rps: signature.Rate | None
    duration_s: signature.Count
    ramp_s: NotRequired[Annotated[int, Field(ge=0)]]


@signature.closed
class FaultArgument(TypedDict):
    """A fault that takes out nodes while a load runs."""

    how: Literal["network", "stop", "delete"]
    at_s: NotRequired[Annotated[float, Field(ge=0)]]
    step: NotRequired[signature.Count]
    nodes: NotRequired[signature.Count]


@signature.closed
class UpdateArgument(TypedDict, total=False):
    """An update of the targets while a load runs."""

    at_s: Annotated[float, Field(ge=0)]
    step: signature.Count
    strategy: Literal["RollingUpdate", "Recreate"]
    max_surge: Annotated[int, Field(ge=0)] | str
    max_unavailable: Annotated[int, Field(ge=0)] | str
    min_ready_s: Annotated[int, Field(ge=0)]
    pre_stop_s: Annotated[int, Field(ge=0)]
    readiness_probe: bool
    nginx_image: signature.Name


@signature.closed
class DisturbedLoadDeadlines(workload_arguments.LoadDeadlines, total=False):
    recover_s: signature.Seconds


@signature.closed
class UpdatedLoadDeadlines(DisturbedLoadDeadlines, total=False):
    update_s: signature.Seconds


@dataclasses.dataclass(frozen=True, kw_only=True)
class LoadArguments(workload_arguments.WorkloadArguments):
    """The load that a scenario runs in a bay.

    :param steps: the load, one step after the other: ``rate_rps``, requests
        per second of all workers together (null for a closed loop), held
        for ``duration_s`` after a ramp of ``ramp_s``
    :param locust_file: path of an ordinary locustfile on the machine where
        Rally runs. The file generates the load instead of the package's
        engine. It must not import other files from its folder. The host of
        its users is the address of the targets. The file determines the
        rate, so ``rate_rps`` must be null in every step. First all users
        are started, and then ``ramp_s`` and ``duration_s`` begin
    :param users: only with ``locust_file``: number of Locust users of all
        workers together
    :param spawn_rate: only with ``locust_file``: users started per second,
        by default 100 in each worker process
    :param faults: faults that take out nodes while the load runs: ``how``
        is network (all ports of the machine are set down), stop (the
        machine is powered off) or delete; ``at_s``, seconds into the steady
        window (default 5) of the step ``step`` (default the last);
        ``nodes``, the number of nodes (default 1), chosen from the nodes
        that run targets and no load generators (default no faults)
    :param deadlines: ``recover_s``, from a fault until the targets serve as
        before (default 900)
    """

    steps: list[StepArgument]
    locust_file: signature.Name | None = None
    users: signature.Count | None = None
    spawn_rate: signature.Rate | None = None
    faults: list[FaultArgument] = dataclasses.field(default_factory=list)
    deadlines: DisturbedLoadDeadlines = dataclasses.field(
        default_factory=lambda: DisturbedLoadDeadlines()
    )

    def _rates(self) -> dict[str, Any]:
        return {"plan": plans.Plan.from_json(self.steps)}

    def _options(self) -> dict[str, Any]:
        if self.locust_file is not None:
            self._check_engine_options()
        return {
            "locust_file": locust_file.read(self.locust_file),
            "faults": tuple(events.NodeFault(**one) for one in self.faults),
        }

    def _check_engine_options(self) -> None:
        """Refuse options that only our engine supports."""
        if self.tls != workload_arguments.NO_TLS:
            raise ValueError(
                "tls: works only with the package's own load engine, because "
                "users of a locust_file do not trust the bay's CA; remove "
                "tls or locust_file"
            )
        plain = LoadArguments(steps=[])
        for name in ENGINE_ONLY:
            given = getattr(self, name)
            if given != getattr(plain, name):
                raise ValueError(
                    f"{name}: {given!r} works only with the package's own "
                    "load engine; remove it or locust_file. The host of the "
                    "file's users is the targets' address"
                )


@dataclasses.dataclass(frozen=True, kw_only=True)
class FaultyLoadArguments(LoadArguments):
    """A load with at least one fault."""

    faults: list[FaultArgument]

    def _options(self) -> dict[str, Any]:
        if not self.faults:
            raise ValueError("faults: the list is empty, give at least one")
        return super()._options()


@dataclasses.dataclass(frozen=True, kw_only=True)
class UpdatedLoadArguments(LoadArguments):
    """A load whose targets are updated while it runs.

    :param update: the update begins ``at_s`` seconds into the steady window
        (default 5) of the step ``step`` (default the last). Its manifest
        has ``strategy`` (RollingUpdate, the default, or Recreate),
        ``max_surge`` and ``max_unavailable`` (percentage or number of pods,
        default 25%), ``min_ready_s`` (default 0), ``pre_stop_s``, seconds
        for which a terminating pod still serves (default 5),
        ``readiness_probe`` (default true) and ``nginx_image``, the image of
        the new pods (default: the same image with another configuration)
    :param deadlines: ``update_s``, until the last old pod is gone; by
        default it grows with the targets
    """

    update: UpdateArgument = dataclasses.field(
        default_factory=lambda: UpdateArgument()
    )
    deadlines: UpdatedLoadDeadlines = dataclasses.field(
        default_factory=lambda: UpdatedLoadDeadlines()
    )

    def _options(self) -> dict[str, Any]:
        return {
            **super()._options(),
            "update": events.RollingUpdate(**self.update),
        }


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

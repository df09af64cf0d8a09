"""The SLA criteria: a load, the highest rate, events, the life of a bay.

Each asks :mod:`rally_magnum_scale.measurement.verdicts` and only keeps, for
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


@validation.add("magnum_scale_step_or_event")
@sla.configure(name="request_rate")
class RequestRateCriterion(_Criterion):
    """Lowest rate of expected answers in the steady seconds of a step.

    ``min_rps`` is the rate, ``min_rps_per_core`` the rate over all cores of
    the nodes that are not hollow, ``min_rps_per_pod_core`` over those that
    the pods could use; ``min_requests_per_cpu_s`` are requests over the CPU
    seconds that targets and generators used together; ``step`` is the number
    of the step, by default the last, and ``during`` judges the time of each
    ``update`` or ``fault`` instead.
    """

    criterion = "request_rate"
    CONFIG_SCHEMA = verdicts.CRITERIA[criterion].schema()


@validation.add("magnum_scale_step_or_event")
@sla.configure(name="request_latency")
class RequestLatencyCriterion(_Criterion):
    """Highest latency of a step, from the intended send time.

    ``p50_ms``, ``p90_ms``, ``p99_ms``, ``p99_9_ms`` and ``max_ms`` are in
    milliseconds; ``step`` is the number of the step, by default the last,
    and ``during`` judges the time of each ``update`` or ``fault`` instead.
    """

    criterion = "request_latency"
    CONFIG_SCHEMA = verdicts.CRITERIA[criterion].schema()


@validation.add("magnum_scale_step_or_event")
@sla.configure(name="request_errors")
class RequestErrorsCriterion(_Criterion):
    """Highest share of failed requests in a step.

    ``max_ratio`` is between 0 and 1; ``step`` is the number of the step,
    by default the last, and ``during`` judges the time of each ``update`` or
    ``fault`` instead.
    """

    criterion = "request_errors"
    CONFIG_SCHEMA = verdicts.CRITERIA[criterion].schema()


@sla.configure(name="pod_startup_time")
class PodStartupTimeCriterion(_Criterion):
    """Longest time from the creation of a load's pods until they are Ready.

    ``p50_s``, ``p90_s``, ``p99_s`` and ``max_s`` are over all its pods, in
    seconds. Kubernetes' own SLO is a p99 of 5 s without pulling images: pull
    them ahead to compare with it.
    """

    criterion = "pod_startup_time"
    CONFIG_SCHEMA = verdicts.CRITERIA[criterion].schema()


@sla.configure(name="api_latency")
class ApiLatencyCriterion(_Criterion):
    """Highest latency of a bay's API server, by its own metrics.

    ``mutating_p99_s``, ``get_p99_s`` and ``list_p99_s`` are in seconds, from
    the opening of the bay to the end of the work in it. Kubernetes' own SLO
    is 1 s for the first two and 30 s for the third. A bound that lies inside
    a bucket of those metrics can't be judged when the p99 does, too: bounds at
    the end of a bucket, as these are, always can.
    """

    criterion = "api_latency"
    CONFIG_SCHEMA = verdicts.CRITERIA[criterion].schema()


@sla.configure(name="max_rate")
class MaxRateCriterion(_Criterion):
    """Lowest rate that a search for the highest rate must find and confirm.

    ``min_rps`` is the rate, ``min_rps_per_core`` the rate over all cores of
    the nodes that are not hollow.
    """

    criterion = "max_rate"
    CONFIG_SCHEMA = verdicts.CRITERIA[criterion].schema()


@sla.configure(name="bay_create_time")
class BayCreateTimeCriterion(_Criterion):
    """Longest time from the create request of a bay to CREATE_COMPLETE.

    ``max_s`` is in seconds, ``max_s_per_node`` divided by its nodes.
    """

    criterion = "bay_create_time"
    CONFIG_SCHEMA = verdicts.CRITERIA[criterion].schema()


@sla.configure(name="bay_delete_time")
class BayDeleteTimeCriterion(_Criterion):
    """Longest time from the delete request of a bay to gone from Magnum.

    ``max_s`` is in seconds, ``max_s_per_node`` divided by its nodes.
    """

    criterion = "bay_delete_time"
    CONFIG_SCHEMA = verdicts.CRITERIA[criterion].schema()


@sla.configure(name="bay_resize_time")
class BayResizeTimeCriterion(_Criterion):
    """Longest time from a resize request of a bay until its size is there.

    ``max_s`` is in seconds to UPDATE_COMPLETE, ``nodes_max_s`` to the last
    new node Ready and the last old one gone; ``max_s_per_node`` and
    ``nodes_max_s_per_node`` are divided by the nodes that came or went.
    """

    criterion = "bay_resize_time"
    CONFIG_SCHEMA = verdicts.CRITERIA[criterion].schema()


@sla.configure(name="node_replace_time")
class NodeReplaceTimeCriterion(_Criterion):
    """Longest time from a request for other nodes until they are there.

    ``max_s`` is in seconds to the last new node Ready and the last old one
    gone, ``drain_max_s`` to empty the old ones before; ``max_s_per_node``
    and ``drain_max_s_per_node`` are divided by the nodes of the batch.
    """

    criterion = "node_replace_time"
    CONFIG_SCHEMA = verdicts.CRITERIA[criterion].schema()


@sla.configure(name="rolling_update_time")
class RollingUpdateTimeCriterion(_Criterion):
    """Longest time from the update of the targets until all are new.

    ``max_s`` is in seconds until as many new pods are Ready and the last old
    one is gone, ``max_s_per_target`` divided by the targets.
    """

    criterion = "rolling_update_time"
    CONFIG_SCHEMA = verdicts.CRITERIA[criterion].schema()


@sla.configure(name="recovery_time")
class RecoveryTimeCriterion(_Criterion):
    """Longest time from the loss of nodes until all is served as before.

    ``max_s`` is in seconds until as many targets are Ready on other nodes
    and no request fails any more; ``pods_max_s`` and ``requests_max_s`` are
    the two apart, ``notice_max_s`` until Kubernetes has noticed.
    """

    criterion = "recovery_time"
    CONFIG_SCHEMA = verdicts.CRITERIA[criterion].schema()


@sla.configure(name="node_ready_time")
class NodeReadyTimeCriterion(_Criterion):
    """Longest time from the create request of a bay until nodes are Ready.

    ``max_s`` is in seconds to the last node, ``max_s_per_node`` divided by
    their number; ``p50_s``, ``p90_s`` and ``p99_s`` are percentiles over the
    nodes, by the bay's own time stamps. Where these can't be right, a bound
    on a percentile fails and says why.
    """

    criterion = "node_ready_time"
    CONFIG_SCHEMA = verdicts.CRITERIA[criterion].schema()

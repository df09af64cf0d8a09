"""What something that befalls a load on purpose is made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any
from typing import Generic
from typing import TypeVar

from rally_magnum_scale.bays import lifecycle
from rally_magnum_scale.in_bay.stats import disturbances
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.in_bay.stats import throughput
from rally_magnum_scale.in_bay.stats import windows
from rally_magnum_scale.runs.disruption_context import DisruptionContext
from rally_magnum_scale.workload import events

R = TypeVar("R", bound=disturbances.Disturbance)


@dataclasses.dataclass(frozen=True)
class Measured:
    """What a load has measured.

    :param end: its closing record, None when it was never read
    :param offset_s: the workers' clock minus our monotonic one
    :param until_s: epoch second of the next event, or infinity
    :param cores_pods: as in :class:`records.Throughput`, as the next one
    """

    windows: Sequence[windows.Window]
    end: records.End | None
    offset_s: float
    until_s: float
    cores_pods: float | None
    cores_real_nodes: float | None


class Disruption(Generic[R]):
    """One thing that befalls a load, in a thread of its own.

    :param context: of the load
    :param moment: when it begins
    :param record: of it, as far as it is known
    """

    def __init__(
        self, context: DisruptionContext, moment: events.Moment, record: R
    ) -> None:
        self.context = context
        self.moment = moment
        self.record = record
        # Monotonic seconds.
        self.began_at: float | None = None
        self._ended_at: float | None = None

    def act(self) -> None:
        """Do it, and wait until it is over."""
        raise NotImplementedError

    def conclude(self, load: Measured) -> R:
        """Return the record, with what the load came to meanwhile."""
        record = self.record
        if self.began_at is None:
            return record
        record = dataclasses.replace(
            record, began_s=self.began_at + load.offset_s
        )
        if self._ended_at is None:
            return record
        return self.with_load(record, self._ended_at + load.offset_s, load)

    def with_load(self, record: R, ended_s: float, load: Measured) -> R:
        """Add to a record what the load came to from beginning to end.

        :param ended_s: epoch second, by the workers' clocks
        """
        plan = self.context.spec.plan
        return dataclasses.replace(
            record,
            ended_s=ended_s,
            load=throughput.during(
                record.began_s or ended_s,
                ended_s,
                (record.step, plan.steps[record.step - 1]),
                load.windows,
                load.end,
                timeout_s=self.context.spec.timeout_s,
                cores_pods=load.cores_pods,
                cores_real_nodes=load.cores_real_nodes,
            ),
        )

    def begin(self, kind: str, detail: str) -> None:
        """Note that it begins now."""
        self.began_at = self.context.clock()
        self.context.note(self.began_at, kind, detail)

    def tell(self, kind: str, detail: str, after_s: float) -> float:
        """Note what has happened in its course.

        :param after_s: how long after its beginning it did
        :returns: the same in monotonic seconds
        """
        at = (self.began_at or 0.0) + after_s
        self.context.note(at, kind, detail)
        return at

    def end(self, kind: str, detail: str, after_s: float) -> None:
        """Note that it is over, in the same way."""
        self._ended_at = self.tell(kind, detail, after_s)

    def note(self, **fields: Any) -> None:
        """Put figures into the record."""
        self.record = dataclasses.replace(self.record, **fields)

    def fail(self, error: Exception) -> None:
        """Note what ended it."""
        self.note(failure=lifecycle.failure_class(error), reason=str(error))

    def since_began(self, at: float) -> float:
        """Return how long after the beginning a moment was.

        :param at: monotonic seconds
        """
        return max(0.0, at - (self.began_at or 0.0))

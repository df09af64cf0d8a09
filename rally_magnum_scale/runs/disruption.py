"""Base class for disruptions that are injected into a load."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any
from typing import Generic
from typing import TypeVar

from rally_magnum_scale.bays import lifecycle
from rally_magnum_scale.in_bay.stats import disruption_records
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.in_bay.stats import step_summary
from rally_magnum_scale.in_bay.stats import windows
from rally_magnum_scale.runs.disruption_context import DisruptionContext
from rally_magnum_scale.workload import events

R = TypeVar("R", bound=disruption_records.DisruptionRecord)


@dataclasses.dataclass(frozen=True)
class Measured:
    """The results of a load.

    :param end: the load's last record; None when it was never read
    :param offset_s: the workers' clock minus our monotonic clock
    :param until_s: epoch second of the next disruption, or infinity
    :param cores_pods: as in :class:`records.Throughput`
    :param cores_real_nodes: as in :class:`records.Throughput`
    """

    windows: Sequence[windows.Window]
    end: records.End | None
    offset_s: float
    until_s: float
    cores_pods: float | None
    cores_real_nodes: float | None


class Disruption(Generic[R]):
    """A disruption of a load, which runs in a thread of its own.

    :param context: the state that all disruptions of the load share
    :param moment: when the disruption begins
    :param record: the disruption's record, as far as it is known
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
        """Cause the disruption, and wait until it is over."""
        raise NotImplementedError

    def conclude(self, load: Measured) -> R:
        """Return the record with the load's results meanwhile."""
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
        """Add the load's results during the disruption to a record.

        :param ended_s: end of the disruption in epoch seconds, by the
            workers' clocks
        """
        plan = self.context.spec.plan
        return dataclasses.replace(
            record,
            ended_s=ended_s,
            load=step_summary.during(
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
        """Note that the disruption begins now."""
        self.began_at = self.context.clock()
        self.context.note(self.began_at, kind, detail)

    def note_event(self, kind: str, detail: str, after_s: float) -> float:
        """Note an event of the disruption.

        :param after_s: seconds since the disruption began
        :returns: the time of the event in monotonic seconds
        """
        at = (self.began_at or 0.0) + after_s
        self.context.note(at, kind, detail)
        return at

    def end(self, kind: str, detail: str, after_s: float) -> None:
        """Note that the disruption is over, as :meth:`note_event` does."""
        self._ended_at = self.note_event(kind, detail, after_s)

    def note(self, **fields: Any) -> None:
        """Set fields of the record."""
        self.record = dataclasses.replace(self.record, **fields)

    def fail(self, error: Exception) -> None:
        """Record the error that ended the disruption."""
        self.note(failure=lifecycle.failure_class(error), reason=str(error))

    def since_began(self, at: float) -> float:
        """Return the seconds from the disruption's beginning to a time.

        :param at: monotonic seconds
        """
        return max(0.0, at - (self.began_at or 0.0))

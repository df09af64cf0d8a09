"""Rolling update of the targets while the load runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from rally_magnum_scale.in_bay.stats import disruption_records
from rally_magnum_scale.kube import following
from rally_magnum_scale.kube import objects
from rally_magnum_scale.measurement import staleness
from rally_magnum_scale.runs import disruption
from rally_magnum_scale.workload import events
from rally_magnum_scale.workload import manifests


class RollingUpdateDisruption(
    disruption.Disruption[disruption_records.Update]
):
    """Replaces the target pods with pods of a new version.

    :param context: the state that all disruptions of the load share
    :param wanted: the update
    """

    def __init__(
        self,
        context: disruption.DisruptionContext,
        wanted: events.RollingUpdate,
    ) -> None:
        plan, targets = context.spec.traffic.plan, context.spec.targets
        super().__init__(
            context,
            wanted,
            disruption_records.Update(
                number=1,
                step=wanted.number(plan),
                at_s=wanted.at_s,
                strategy=wanted.strategy,
                targets=targets,
            ),
        )
        self._found: tuple[disruption.Target, ...] = ()
        self._fewest = targets
        self._all_new = following.Since(self._are_new)
        self._old_gone = following.Since(self._are_old_gone)

    def act(self) -> None:
        """Update the targets, and wait until the last old pod is gone.

        :raises KubernetesError: when the bay refuses
        :raises WorkloadError: when a new pod can't start
        :raises DeadlineExceeded: when the update does not end in time
        """
        context, spec = self.context, self.context.spec
        *others, deployment = manifests.targets(
            spec, context.target_ip, events.NEW_VERSION
        )
        objects.create(context.cluster, others)
        for observer in (self._keep, self._all_new, self._old_gone):
            context.targets.subscribe(observer)
        self.begin("update_began", f"of {spec.targets} targets")
        objects.replace_pods(context.cluster, spec.names.namespace, deployment)
        self.accepted()
        new_ready, old_gone = context.wait(
            self._ends,
            "the targets to be updated",
            spec.update_s,
            self._progress,
        )
        new_ready_s = self.note_time("new_ready_s", new_ready)
        old_gone_s = self.note_time("old_gone_s", old_gone)
        self.note(fewest_ready=self._fewest)
        self.end(
            "update_ended",
            f"all new targets were Ready after {new_ready_s:.1f} s, the last "
            f"old target was gone after {old_gone_s:.1f} s",
            "all_new_s",
        )

    def conclude(
        self, load: disruption.LoadResults
    ) -> disruption_records.Update:
        """Return the record with the load's results meanwhile."""
        record = super().conclude(load)
        if record.began_s is None or record.ended_s is None:
            return record
        return dataclasses.replace(
            record,
            versions=disruption_records.versions(
                load.windows, record.began_s, record.ended_s
            ),
        )

    def _ends(
        self,
    ) -> tuple[staleness.ObservedTime, staleness.ObservedTime] | None:
        """Return when the new pods were Ready and the old pods were gone."""
        self.context.refuse_hopeless(self._found)
        new_ready, old_gone = self._all_new.observed, self._old_gone.observed
        if new_ready is None or old_gone is None:
            return None
        return new_ready, old_gone

    def _keep(
        self,
        found: Collection[disruption.Target],
        observed: staleness.ObservedTime,
    ) -> None:
        del observed
        self._found = tuple(found)
        self._fewest = min(self._fewest, sum(one.serves for one in found))

    def _are_new(self, found: Collection[disruption.Target]) -> bool:
        return self._count_new(found) >= self.context.spec.targets

    def _count_new(self, found: Collection[disruption.Target]) -> int:
        new = filter(_is_new, self._on_live_nodes(found))
        return sum(one.serves for one in new)

    def _are_old_gone(self, found: Collection[disruption.Target]) -> bool:
        return all(map(_is_new, self._on_live_nodes(found)))

    def _on_live_nodes(
        self, found: Collection[disruption.Target]
    ) -> list[disruption.Target]:
        """Leave out pods on lost nodes: no kubelet confirms their end."""
        return [one for one in found if one.node not in self.context.lost]

    def _progress(self) -> str:
        new = self._count_new(self._found)
        old = sum(not _is_new(one) for one in self._on_live_nodes(self._found))
        return (
            f"{new} of {self.context.spec.targets} new targets Ready, {old} "
            "old targets left"
        )


def _is_new(target: disruption.Target) -> bool:
    return target.version == events.NEW_VERSION

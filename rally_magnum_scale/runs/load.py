"""A load in a bay, from its images to its records."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.in_bay.stats import step_summary
from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import nodes as node_list
from rally_magnum_scale.measurement import node_times
from rally_magnum_scale.runs import cpu_watch
from rally_magnum_scale.runs import deployment
from rally_magnum_scale.runs import disruption_schedule
from rally_magnum_scale.runs import fault_injectors
from rally_magnum_scale.runs import master_log
from rally_magnum_scale.runs import probes
from rally_magnum_scale.runs import progress
from rally_magnum_scale.runs import usable_cores
from rally_magnum_scale.workload import load_spec


class Load:
    """A load in a bay, and its records.

    :param cluster: the open Kubernetes API of the bay
    :param spec: description of the load
    :param nodes: the nodes of the bay
    :param log: callback for progress lines
    :param injector: injects the faults of the load, if it has any
    :param clock: monotonic seconds
    """

    def __init__(
        self,
        cluster: client.KubeClient,
        spec: load_spec.LoadSpec,
        nodes: Sequence[node_list.Node],
        log: Callable[[str], None],
        injector: fault_injectors.FaultInjector | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._spec = spec
        self._nodes = nodes
        namespace = spec.names.namespace
        self._deployment = deployment.LoadDeployment(
            cluster, spec, nodes, log, clock
        )
        self._counted: int | None = None
        self._cores = usable_cores.UsableCores(cluster, namespace, log)
        self._cpu = cpu_watch.CpuWatch(cluster, namespace)
        self._search = (
            progress.SearchProgress(spec.traffic.search, log)
            if spec.traffic.search
            else None
        )
        self._disruptions = disruption_schedule.DisruptionSchedule(
            cluster, spec, injector, log, clock
        )
        self._probes: list[probes.Probe] = [
            self._cores,
            self._cpu,
            self._search or progress.LoadProgress(spec.traffic.plan, log),
            self._disruptions,
        ]
        self._master_log = master_log.MasterLog(
            cluster, spec, self._probes, clock
        )

    def pull(self) -> None:
        """Pull the images on every node that the load may use.

        :raises KubernetesError: when the bay refuses, or has no real node
        :raises WorkloadError: when the registry refuses, with its message
        :raises DeadlineExceeded: when a node does not have them in time
        """
        self._deployment.pull_images()

    def deploy(self) -> None:
        """Create the targets and wait until all of them are Ready.

        :raises KubernetesError: when the bay refuses, or has no real node
        :raises WorkloadError: when a target can't start
        :raises DeadlineExceeded: when targets do not become Ready
        """
        self._deployment.create_targets()

    def run(self) -> None:
        """Start the Locust master and workers and follow them to the end.

        :raises WorkloadError: when the master ends before it has written all
            records, or no request was answered as expected
        :raises DeadlineExceeded: when the load does not end in time
        :raises Interrupted: when the run is interrupted
        :raises ScaleError: when a disruption of the load fails
        """
        # Before the load, because the first list of a large bay takes time.
        with self._disruptions.following():
            with self._deployment.starts.stopped_by_failure():
                self._cores.read_targets(self._deployment.target_pods())
                self._deployment.create_generators()
            with contextlib.ExitStack() as observing:
                for probe in self._probes:
                    observing.enter_context(
                        probe.observing(self._deployment.pods)
                    )
                self._master_log.follow(
                    self._disruptions.stamped, self._disruptions.refuse_error
                )
        # Targets that answered no request would not return their count.
        self._master_log.refuse_no_requests()
        # A disruption may have replaced pods, whose counts are lost.
        if not self._disruptions.planned:
            self._counted = self._deployment.count_requests()

    def revert(self) -> None:
        """Revert the faults in the nodes of a bay that is kept.

        :raises ScaleError: when a fault can't be reverted
        """
        self._disruptions.revert()

    def remove(self) -> None:
        """Remove the load; an interruption does not end the wait."""
        self._deployment.remove()

    def all_records(self) -> list[dict[str, Any]]:
        """Return all records: the load's, its summary and the probes'."""
        written = self._master_log.records
        if not written:
            return []
        source = self._spec.source
        run = records.collect(written)
        summary = self._summary(run)
        run = dataclasses.replace(run, throughput=summary)
        return [
            *written,
            source.envelope("throughput", summary.to_json()),
            *(
                record
                for probe in self._probes
                for record in probe.records(source, run)
            ),
        ]

    def _summary(self, run: records.Run) -> records.Throughput:
        spec, deployed = self._spec, self._deployment
        starts_s = deployed.starts.seconds
        return records.Throughput(
            targets=spec.targets,
            workers=spec.workers,
            processes_per_worker=spec.traffic.processes_per_worker,
            target_address=spec.target_address,
            asked=spec.traffic.request.what,
            keep_alive=spec.traffic.keep_alive,
            arrivals=spec.traffic.arrivals,
            tls=spec.tls is not None,
            users=spec.users,
            pull_s=deployed.pull_s,
            deploy_s=deployed.deploy_s,
            pod_start_s=node_times.nearest_ranks(starts_s),
            pod_start_resolution_s=deployed.starts.resolution_s,
            pods_timed=len(starts_s),
            pods_unready=deployed.starts.unready,
            nodes_with_pods=len(deployed.pods.node_names) or None,
            cores_pods=self._cores.of_pods,
            cores_real_nodes=self._cores_real_nodes,
            cores_of=self._cores.of_sides,
            cpus_seen=self._cores.are_seen,
            requests_counted_by_targets=self._counted,
            steps=self._steps(run),
        )

    def _steps(self, run: records.Run) -> list[records.StepResult]:
        plan = self._search.plan if self._search else self._spec.traffic.plan
        if not plan:
            return []
        return step_summary.summarise(
            plan,
            run.windows,
            run.end,
            cores_pods=self._cores.of_pods,
            cores_real_nodes=self._cores_real_nodes,
            cores_of=self._cores.of_sides,
            cpu=self._cpu.counters,
            # A user's Locust file may send its requests anywhere.
            counted_by_targets=None if self._spec.users else self._counted,
        )

    @property
    def _cores_real_nodes(self) -> float:
        return sum(node.all_cores for node in self._nodes if not node.hollow)

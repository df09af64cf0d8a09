"""Deploy a load in a bay, run it, read its records, and remove it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

from rally_magnum_scale import exceptions
from rally_magnum_scale import interruption
from rally_magnum_scale.in_bay.stats import cpusets
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.in_bay.stats import step_summary
from rally_magnum_scale.in_bay.stats import windows
from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import daemonsets
from rally_magnum_scale.kube import logs
from rally_magnum_scale.kube import nodes as node_list
from rally_magnum_scale.kube import objects
from rally_magnum_scale.kube import pod_cpusets as pod_cpusets
from rally_magnum_scale.kube import pod_starts
from rally_magnum_scale.kube import pods
from rally_magnum_scale.measurement import node_times
from rally_magnum_scale.runs import cpu_watch
from rally_magnum_scale.runs import disruption_schedule
from rally_magnum_scale.runs import faults
from rally_magnum_scale.runs import progress
from rally_magnum_scale.runs import search_progress
from rally_magnum_scale.workload import choices
from rally_magnum_scale.workload import load_spec
from rally_magnum_scale.workload import manifests
from rally_magnum_scale.workload import stub_status

_REMOVE_S = 300.0

# Deadline for reading the processors of all targets.
_CPUSETS_S = 20.0

# Deadline for the first list of the pods of a new namespace.
_LISTED_S = 10.0

# Deadline for one watch to report pods that another watch has reported.
_REPORTED_S = 3.0

# Time that a run may take beyond its plan: to connect, drain and merge.
_RUN_MARGIN_S = 120.0

# Interval at which the workers are checked until the first window arrives.
_CHECK_EVERY_S = 5.0

# Number of log lines that explain why a master ended early.
_LOG_TAIL = 5


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
        injector: faults.FaultInjector | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster = cluster
        self._spec = spec
        self._nodes = nodes
        self._log = log
        self._clock = clock
        self._search = spec.search and search_progress.SearchProgress(
            spec.search
        )
        self._by_second: dict[int, dict[str, Any]] = {}
        self._others: list[dict[str, Any]] = []
        self._has_namespace = False
        self._pods_of: dict[str, list[dict[str, Any]]] = {}
        self._cpus: dict[str, frozenset[int]] = {}
        self._watch: cpu_watch.CpuWatch | None = None
        self._counted: int | None = None
        self._pull_s: float | None = None
        self._deploy_s: float | None = None
        self._nodes_with_pods: int | None = None
        self._disturbances = disruption_schedule.DisruptionSchedule(
            cluster, spec, injector, log, clock
        )
        self._starts = pod_starts.PodStarts(
            cluster, spec.names.namespace, spec.selector(), clock
        )

    def pull(self) -> None:
        """Pull the images on every node that the load may use.

        :raises KubernetesError: when the bay refuses, or has no real node
        :raises WorkloadError: when the registry refuses, with its message
        :raises DeadlineExceeded: when a node does not have them in time
        """
        nodes = node_list.real(list(self._nodes))
        names = self._spec.names
        self._log("pulling the images on the nodes of the load")
        start = self._clock()
        self._create_namespace()
        objects.create(self._cluster, [manifests.puller(self._spec)])
        pulled = daemonsets.wait_for_ready(
            self._cluster,
            names.namespace,
            names.pull,
            self._spec.selector("pull"),
            what="pods that pull the images",
            deadline_s=self._spec.pull_s(len(nodes)),
            log=self._log,
        )
        self._pull_s = self._clock() - start
        daemonsets.delete(self._cluster, names.namespace, names.pull)
        self._log(f"{pulled} nodes have both images")

    def deploy(self) -> None:
        """Create the targets and wait until all of them are Ready.

        :raises KubernetesError: when the bay refuses, or has no real node
        :raises WorkloadError: when a target can't start
        :raises DeadlineExceeded: when targets do not become Ready
        """
        node_list.real(list(self._nodes))
        self._log(f"deploying {self._spec.targets} nginx targets")
        start = self._clock()
        self._create_namespace()
        with self._starts.stopped_by_failure():
            self._time_starts()
            objects.create(self._cluster, manifests.foundation(self._spec))
            self._wait_ready("target", self._spec.targets, "nginx targets")
        self._deploy_s = self._clock() - start

    def run(self) -> None:
        """Start the Locust master and workers and follow them to the end.

        :raises WorkloadError: when the master ends before it has written all
            records, or no request was answered as expected
        :raises DeadlineExceeded: when the load does not end in time
        :raises Interrupted: when the run is interrupted
        :raises ScaleError: when a disruption of the load fails
        """
        # Before the load, because the first list of a large bay takes time.
        with self._disturbances.following():
            watch = self._start()
            with watch.watching(), self._disturbances.working():
                self._follow()
        # Targets that answered no request would not return their count.
        self._refuse_no_requests()
        self._counted = self._count(self._pods_of["targets"])

    def _start(self) -> cpu_watch.CpuWatch:
        """Start the generators, and prepare watches and disruptions."""
        with self._starts.stopped_by_failure():
            self._read_cpus_of_targets()
            self._log(f"starting {self._spec.workers} Locust workers")
            objects.create(self._cluster, self._load_objects())
            master = self._wait_ready("master", 1, "Locust master")
            workers = self._wait_ready(
                "worker", self._spec.workers, "Locust workers"
            )
            self._starts.wait_reported(_REPORTED_S)
        self._starts.stop()
        targets = self._pods("target")
        generators = [*workers, *master]
        self._pods_of = {"targets": targets, "generators": generators}
        on_nodes = pods.node_names([*targets, *generators])
        self._nodes_with_pods = len(on_nodes)
        self._watch = cpu_watch.CpuWatch(
            self._cluster,
            self._spec.names.namespace,
            _names(targets),
            on_nodes,
        )
        self._disturbances.prepare(self._nodes, targets, generators)
        return self._watch

    def revert(self) -> None:
        """Revert the faults in the nodes of a bay that is kept.

        :raises ScaleError: when a fault can't be reverted
        """
        self._disturbances.revert()

    def remove(self) -> None:
        """Remove the load; an interruption does not end the wait."""
        with interruption.deferred():
            objects.delete_namespace(
                self._cluster,
                self._spec.names.namespace,
                deadline_s=_REMOVE_S,
                log=self._log,
            )

    def all_records(self) -> list[dict[str, Any]]:
        """Return all records: the load's, summaries and disruptions."""
        seen = [record for _, record in sorted(self._by_second.items())]
        written = [*seen, *self._others]
        source = records.Source(
            self._spec.task, self._spec.iteration, self._spec.bay
        )
        if not written:
            return []
        summary = self._summary()
        summaries = [source.envelope("throughput", summary.to_json())]
        if self._search:
            found = self._search.conclude(summary.steps)
            summaries.append(source.envelope("max_rate", found.to_json()))
        disturbed = self._disturbances.records(
            source,
            records.collect(written),
            cores_pods=summary.cores_pods,
            cores_real_nodes=summary.cores_real_nodes,
        )
        return [*written, *summaries, *disturbed]

    def _time_starts(self) -> None:
        """Measure the start of the pods that are created from now on."""
        self._starts.start()
        try:
            self._starts.wait_listed(_LISTED_S)
        except (
            exceptions.DeadlineExceeded,
            exceptions.KubernetesError,
        ) as error:
            self._starts.stop()
            self._log(f"can't measure the start times of pods: {error}")

    def _summary(self) -> records.Throughput:
        run = records.collect([*self._by_second.values(), *self._others])
        cores_real = sum(n.all_cores for n in self._nodes if not n.hollow)
        every = [pod for found in self._pods_of.values() for pod in found]
        cores_pods = self._cores(every)
        cores_of = {
            side: self._cores(found) for side, found in self._pods_of.items()
        }
        plan = self._search.plan if self._search else self._spec.plan
        return records.Throughput(
            targets=self._spec.targets,
            workers=self._spec.workers,
            processes_per_worker=self._spec.processes_per_worker,
            target_address=self._spec.target_address,
            asked=self._spec.request.what,
            keep_alive=self._spec.keep_alive,
            arrivals=self._spec.arrivals,
            tls=self._spec.tls is not None,
            users=self._spec.users,
            pull_s=self._pull_s,
            deploy_s=self._deploy_s,
            pod_start_s=node_times.nearest_ranks(self._starts.seconds),
            pods_unready=self._starts.unready,
            nodes_with_pods=self._nodes_with_pods,
            cores_pods=cores_pods,
            cores_real_nodes=cores_real,
            cores_of=cores_of,
            cpus_seen=bool(every) and set(self._cpus) >= _names(every),
            requests_counted_by_targets=self._counted,
            steps=step_summary.summarise(
                plan,
                run.windows,
                run.end,
                cores_pods=cores_pods,
                cores_real_nodes=cores_real,
                cores_of=cores_of,
                cpu=self._watch.counters if self._watch else None,
                # A user's Locust file may send its requests anywhere.
                counted_by_targets=(
                    None if self._spec.users else self._counted
                ),
            )
            if plan
            else [],
        )

    def _read_cpus_of_targets(self) -> None:
        """Read which processors the targets can use, before the load.

        If no command can be run in them, their cores follow from their
        limits and nodes.
        """
        found, why = pod_cpusets.of_pods(
            self._cluster,
            self._spec.names.namespace,
            _names(self._pods("target")),
            manifests.TARGET_CONTAINER,
            deadline_s=_CPUSETS_S,
        )
        self._cpus |= found
        if why:
            self._log(
                f"can't read which processors the targets can use: {why}"
            )

    def _cores(self, found: Sequence[dict[str, Any]]) -> float | None:
        if not found:
            return None
        return pods.usable_cores(found, self._nodes, self._cpus)

    def _follow(self) -> None:
        namespace, pod = self._spec.names.namespace, self._spec.names.master
        deadline_s = (
            self._spec.longest_s + self._spec.connect_s + _RUN_MARGIN_S
        )
        start = check_at = self._clock()
        lines = self._search or progress.LoadProgress(self._spec.plan)
        tail: list[str] = []
        for line in logs.follow(
            self._cluster,
            namespace,
            pod,
            manifests.MASTER_CONTAINER,
            self._disturbances.stamped,
        ):
            interruption.check()
            self._disturbances.refuse_error()
            if self._clock() - start > deadline_s:
                raise exceptions.DeadlineExceeded(
                    "the load to end", deadline_s
                )
            if not self._by_second and self._clock() > check_at:
                check_at = self._clock() + _CHECK_EVERY_S
                self._refuse_dead_workers()
            if line and self._take(line, lines.line):
                return
            if line and not line.startswith("{"):
                tail = [*tail, line][-_LOG_TAIL:]
        raise exceptions.WorkloadError(
            "The Locust master ended before it had written all records of the "
            f"load; its log ends with: {' / '.join(tail) or 'nothing'}"
        )

    def _refuse_dead_workers(self) -> None:
        """Raise for workers that failed after they were Ready.

        Once the run has begun, the master detects this itself.
        """
        with contextlib.suppress(exceptions.KubernetesError):
            pods.refuse_failed(
                self._cluster,
                self._spec.names.namespace,
                self._spec.selector("worker"),
                self._spec.workers,
                "Locust workers",
            )

    def _refuse_no_requests(self) -> None:
        """Raise when the load has no results at all."""
        last = self._others[-1]
        if not last["requests"]:
            reasons = "; ".join(last["reasons"]) or "no request was due"
            raise exceptions.WorkloadError(
                f"The load in the bay {self._spec.bay} has no figures: "
                f"{reasons}."
            )

    def _take(
        self, line: str, progress_of: Callable[[windows.Window], str | None]
    ) -> bool:
        """Keep a record; return whether it was the last one."""
        try:
            record = records.parse_line(line)
        except ValueError:
            return False
        if self._search and record["record"] == "trial":
            self._report_line(self._search.take(record))
            return False
        if record["record"] == "start":
            self._take_start(record)
        if record["record"] != "window":
            self._others.append(record)
            self._report_event(record)
            return bool(record["record"] == "end")
        if record["second"] not in self._by_second:
            self._by_second[record["second"]] = record
            self._report_line(progress_of(windows.Window.from_json(record)))
        return False

    def _take_start(self, record: dict[str, Any]) -> None:
        self._cpus |= cpusets.by_name(record["cpus"])
        if self._watch:
            self._watch.began(record)
        self._disturbances.began(record)

    def _report_line(self, line: str | None) -> None:
        if line:
            self._log(line)

    def _report_event(self, record: dict[str, Any]) -> None:
        if record["record"] == "event":
            self._log(f"{record.get('kind')}: {record.get('detail', '')}")

    def _wait_ready(
        self, component: str, count: int, what: str
    ) -> list[dict[str, Any]]:
        return pods.wait_for_ready(
            self._cluster,
            self._spec.names.namespace,
            self._spec.selector(component),
            count,
            what=what,
            deadline_s=self._spec.start_s(count),
            log=self._log,
        )

    def _create_namespace(self) -> None:
        if not self._has_namespace:
            objects.create(self._cluster, manifests.namespace(self._spec))
            self._has_namespace = True

    def _load_objects(self) -> list[dict[str, Any]]:
        """Return the objects of the master and workers, with addresses."""
        pod_ips: list[str] = []
        if self._spec.target_address == choices.POD_ADDRESS:
            pod_ips = pods.addresses(self._pods("target"))
        return manifests.load(
            self._spec,
            target_ip=self._address(self._spec.names.target),
            master_ip=self._address(self._spec.names.master),
            pod_ips=pod_ips,
        )

    def _pods(self, component: str) -> list[dict[str, Any]]:
        return pods.get(
            self._cluster,
            self._spec.names.namespace,
            self._spec.selector(component),
        )

    def _address(self, service: str) -> str:
        return objects.service_address(
            self._cluster, self._spec.names.namespace, service
        )

    def _count(self, targets: Sequence[dict[str, Any]]) -> int | None:
        """Return how many requests the targets have counted.

        The request for the count is counted, too, and subtracted.

        :returns: None where the API server can't reach the pods, as in some
            clouds, or where a disruption may have replaced pods, whose
            counts are lost
        """
        if self._disturbances.planned:
            return None
        try:
            return sum(
                stub_status.requests_counted(self._read_status(pod)) - 1
                for pod in targets
            )
        except (exceptions.KubernetesError, ValueError) as error:
            self._log(f"can't read the targets' request counts: {error}")
            return None

    def _read_status(self, pod: dict[str, Any]) -> str:
        return pods.proxy_get(
            self._cluster,
            self._spec.names.namespace,
            pod["metadata"]["name"],
            stub_status.status_port(self._spec),
            stub_status.STATUS_PATH,
        )


def _names(found: Sequence[dict[str, Any]]) -> set[str]:
    return {pod["metadata"]["name"] for pod in found}

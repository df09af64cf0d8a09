"""Deploy a load: its namespace, images, targets and generators."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

from rally_magnum_scale import exceptions
from rally_magnum_scale import interruption
from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import daemonsets
from rally_magnum_scale.kube import nodes as node_list
from rally_magnum_scale.kube import objects
from rally_magnum_scale.kube import pod_starts
from rally_magnum_scale.kube import pods
from rally_magnum_scale.runs import probes
from rally_magnum_scale.workload import load_spec
from rally_magnum_scale.workload import manifests
from rally_magnum_scale.workload import nginx

_REMOVE_S = 300.0

# Deadline for the first list of the pods of a new namespace.
_LISTED_S = 10.0

# Deadline for one watch to report pods that another watch has reported.
_REPORTED_S = 3.0


class LoadDeployment:
    """The objects of a load in a bay.

    :param cluster: the open Kubernetes API of the bay
    :param spec: description of the load
    :param nodes: the nodes of the bay
    :param log: callback for progress lines
    :param clock: monotonic seconds
    """

    def __init__(
        self,
        cluster: client.KubeClient,
        spec: load_spec.LoadSpec,
        nodes: Sequence[node_list.Node],
        log: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster = cluster
        self._spec = spec
        self._nodes = nodes
        self._log = log
        self._clock = clock
        self._namespace = spec.names.namespace
        self._has_namespace = False
        self.starts = pod_starts.PodStarts(
            cluster, self._namespace, spec.selector(), clock
        )
        self.pods = probes.LoadPods()
        # Durations of the steps that have ended.
        self.pull_s: float | None = None
        self.deploy_s: float | None = None

    def pull_images(self) -> None:
        """Pull the images on every node that the load may use.

        :raises KubernetesError: when the bay refuses, or has no real node
        :raises WorkloadError: when the registry refuses, with its message
        :raises DeadlineExceeded: when a node does not have them in time
        """
        nodes = node_list.real(list(self._nodes))
        name = self._spec.names.pull
        self._log("pulling the images on the nodes of the load")
        start = self._clock()
        self._create_namespace()
        objects.create(self._cluster, [manifests.puller(self._spec)])
        pulled = daemonsets.wait_for_ready(
            self._cluster,
            self._namespace,
            name,
            self._spec.selector("pull"),
            what="pods that pull the images",
            deadline_s=self._spec.pull_s(len(nodes)),
            log=self._log,
        )
        self.pull_s = self._clock() - start
        daemonsets.delete(self._cluster, self._namespace, name)
        self._log(f"{pulled} nodes have both images")

    def create_targets(self) -> None:
        """Create the targets and wait until all of them are Ready.

        :raises KubernetesError: when the bay refuses, or has no real node
        :raises WorkloadError: when a target can't start
        :raises DeadlineExceeded: when targets do not become Ready
        """
        node_list.real(list(self._nodes))
        self._log(f"deploying {self._spec.targets} nginx targets")
        start = self._clock()
        self._create_namespace()
        with self.starts.stopped_by_failure():
            self._time_starts()
            objects.create(self._cluster, manifests.foundation(self._spec))
            objects.create(
                self._cluster, manifests.targets(self._spec, self._target_ip)
            )
            self._wait_ready(
                "target",
                self._spec.targets,
                "nginx targets",
                self._spec.names.target,
            )
        self.deploy_s = self._clock() - start

    def create_generators(self) -> None:
        """Create the Locust master and workers and wait until all are Ready.

        :raises KubernetesError: when the bay refuses
        :raises WorkloadError: when a generator can't start
        :raises DeadlineExceeded: when generators do not become Ready
        """
        self._log(f"starting {self._spec.workers} Locust workers")
        objects.create(self._cluster, self._generator_objects())
        master = self._wait_ready("master", 1, "Locust master")
        workers = self._wait_ready(
            "worker",
            self._spec.workers,
            "Locust workers",
            self._spec.names.worker,
        )
        self.starts.wait_reported(_REPORTED_S)
        self.starts.stop()
        self.pods = probes.LoadPods(
            self._nodes,
            self.target_pods(),
            [*workers, *master],
            self._target_ip,
        )

    def target_pods(self) -> list[dict[str, Any]]:
        """Return the current target pods, as the API's objects."""
        return pods.get(
            self._cluster, self._namespace, self._spec.selector("target")
        )

    def count_requests(self) -> int | None:
        """Return how many requests the targets have counted.

        The request for the count is counted, too, and subtracted.

        :returns: None where the API server can't reach the pods, as in some
            clouds
        """
        try:
            return sum(
                nginx.requests_counted(self._read_status(name)) - 1
                for name in probes.pod_names(self.pods.targets)
            )
        except (exceptions.KubernetesError, ValueError) as error:
            self._log(f"can't read the targets' request counts: {error}")
            return None

    def remove(self) -> None:
        """Remove the load; an interruption does not end the wait."""
        with interruption.deferred():
            objects.delete_namespace(
                self._cluster,
                self._namespace,
                deadline_s=_REMOVE_S,
                log=self._log,
            )

    def _create_namespace(self) -> None:
        if not self._has_namespace:
            objects.create(self._cluster, manifests.namespace(self._spec))
            self._has_namespace = True

    def _time_starts(self) -> None:
        """Measure the start of the pods that are created from now on."""
        self.starts.start()
        try:
            self.starts.wait_listed(_LISTED_S)
        except (
            exceptions.DeadlineExceeded,
            exceptions.KubernetesError,
        ) as error:
            self.starts.stop()
            self._log(f"can't measure the start times of pods: {error}")

    def _wait_ready(
        self, component: str, count: int, what: str, controller: str = ""
    ) -> list[dict[str, Any]]:
        return pods.wait_for_ready(
            self._cluster,
            self._namespace,
            self._spec.selector(component),
            count,
            what=what,
            controller=controller,
            deadline_s=self._spec.start_s(count),
            log=self._log,
        )

    def _generator_objects(self) -> list[dict[str, Any]]:
        """Return the objects of the master and workers, with addresses."""
        pod_ips: list[str] = []
        if self._spec.target_address == load_spec.POD_ADDRESS:
            pod_ips = pods.addresses(self.target_pods())
        return manifests.load(
            self._spec,
            target_ip=self._target_ip,
            master_ip=self._address(self._spec.names.master),
            pod_ips=pod_ips,
        )

    @functools.cached_property
    def _target_ip(self) -> str:
        return self._address(self._spec.names.target)

    def _address(self, service: str) -> str:
        return objects.service_address(self._cluster, self._namespace, service)

    def _read_status(self, pod: str) -> str:
        return pods.proxy_get(
            self._cluster,
            self._namespace,
            pod,
            nginx.status_port(self._spec),
            nginx.STATUS_PATH,
        )

"""The life cycle of one bay, and its record."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rally_magnum_scale import exceptions
from rally_magnum_scale import interruption
from rally_magnum_scale.bays import credentials
from rally_magnum_scale.bays import deadlines as limits
from rally_magnum_scale.bays import drivers
from rally_magnum_scale.bays import lifecycle
from rally_magnum_scale.bays import magnum_errors
from rally_magnum_scale.in_bay.stats import bay_records
from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import node_change_follower
from rally_magnum_scale.kube import nodes
from rally_magnum_scale.measurement import node_times
from rally_magnum_scale.runs import kubeconfig
from rally_magnum_scale.runs import memory
from rally_magnum_scale.runs import node_change

_STATUS: dict[type[Exception], str] = {
    exceptions.BayCreateFailed: "CREATE_FAILED",
    exceptions.BayDeleteFailed: "DELETE_FAILED",
}


class BayLife:
    """Creates a bay, opens its Kubernetes API, and deletes the bay.

    :param bays: the bays of a project
    :param request: the request to create the bay
    :param log: callback for progress lines
    :param made_by: creator of the bay, for the record
    :param template_name: the task's name of the template, for the record
    :param capabilities: what the driver must have, from :mod:`drivers`
    :param clock: monotonic seconds
    :param wall_clock: epoch seconds
    """

    def __init__(
        self,
        bays: lifecycle.Bays,
        request: lifecycle.BayRequest,
        log: Callable[[str], None],
        made_by: str = "scenario",
        template_name: str = "",
        capabilities: Collection[str] = (),
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._bays = bays
        self._request = request
        self._capabilities = capabilities
        self._log = log
        self._clock = clock
        self._wall_clock = wall_clock
        self._requested_at = 0.0
        self._requested_at_epoch = 0.0
        self._begun_within_s = 0.0
        self._cluster: Any = None
        self.kubeconfig: Path | None = None
        self._open = contextlib.ExitStack()
        self.nodes: list[nodes.Node] = []
        self._follower: node_change_follower.NodeChangeFollower | None = None
        # The bay may grow and shrink; its largest size sets the delete
        # deadline.
        self._most_nodes = request.nodes
        self.record = bay_records.Bay(
            uuid="",
            template=request.template or "",
            nodes=request.nodes,
            status="NOT_CREATED",
            poll_interval_s=lifecycle.POLL_INTERVAL_S,
            made_by=made_by,
            name=request.name,
            masters=request.masters,
            template_name=template_name,
        )

    @property
    def name(self) -> str:
        """Name of the bay."""
        return self._request.name

    def create(self) -> Any:
        """Request the bay and wait for CREATE_COMPLETE.

        :returns: the cluster as Magnum shows it
        :raises BayCreateFailed: with Magnum's reason
        :raises DeadlineExceeded: when the create does not complete in time
        """
        with self._recorded_failures():
            self._log(
                f"asking Magnum for the bay {self.name} of "
                f"{self._request.nodes} nodes"
            )
            found = self._bays.find_template(self._request.template)
            self._note(
                template_name=self.record.template_name or found.name,
                # Not every release of Magnum shows it.
                driver=getattr(found, "driver", None) or "",
            )
            drivers.require(self.record.driver, self._capabilities)
            self._requested_at = self._clock()
            self._requested_at_epoch = self._wall_clock()
            accepted, self._begun_within_s = self._bays.begin(
                lambda: self._bays.request(self._request, found)
            )
            self._note(uuid=accepted.uuid, status="CREATE_IN_PROGRESS")
            self._bays.wait_shown(accepted.uuid)
            observed = self._bays.wait_created(
                accepted.uuid, self._request.nodes, self._request.deadlines
            ).begun_within(self._begun_within_s)
            create_s = self._since_request()
            cluster = self._cluster = observed.cluster
            self._note(
                status=cluster.status,
                create_s=create_s,
                create_resolution_s=observed.resolution_of(create_s),
                template=cluster.cluster_template_id,
            )
        self._log(f"bay complete after {create_s:.1f} s")
        return cluster

    def connect(self, cluster: Any) -> client.KubeClient:
        """Open the bay's Kubernetes API with a certificate from Magnum.

        The connection stays open until :meth:`delete`.
        """
        with self._recorded_failures():
            opened = self._open.enter_context(open_bay(self._bays, cluster))
            self._note(kubernetes_version=opened.version())
        return opened

    def wait_for_nodes(self, opened: client.KubeClient) -> None:
        """Wait until all requested nodes are Ready.

        :raises DeadlineExceeded: with the number of Ready nodes
        """
        wanted = self._request.nodes
        with self._recorded_failures():
            self.nodes = nodes.wait_for_ready(
                opened,
                wanted,
                deadline_s=self._request.deadlines.for_nodes_ready(wanted),
                log=self._log,
                clock=self._clock,
            )
            self._note(
                nodes_ready_s=self._since_request(), **node_facts(self.nodes)
            )
            self._note_node_times(opened)
        self._log(
            f"{len(self.nodes)} nodes Ready ({self.record.nodes_hollow} of "
            f"them hollow) after {self.record.nodes_ready_s:.1f} s"
        )

    def change_nodes(
        self,
        opened: client.KubeClient,
        spec: node_change.NodeChangeSpec,
        number: int,
        deadlines: limits.ResizeDeadlines,
    ) -> node_change.NodeChangeRun:
        """Prepare a change of the bay's nodes.

        :param opened: the bay's Kubernetes API
        :param spec: the wanted nodes
        :param number: number of this change, from 1
        :param deadlines: of this change
        :returns: the change, ready to run
        :raises KubernetesError: when the nodes can't be listed
        """
        self._most_nodes = max(self._most_nodes, spec.nodes)
        return node_change.NodeChangeRun(
            self._bays,
            opened,
            self._follow(opened),
            self.record.uuid,
            spec,
            number,
            self._log,
            deadlines,
            clock=self._clock,
        )

    def _follow(
        self, opened: client.KubeClient
    ) -> node_change_follower.NodeChangeFollower:
        """Return the follower of the nodes; start it at the first call."""
        if self._follower is None:
            new = node_change_follower.NodeChangeFollower(opened, self._clock)
            self._follower = self._open.enter_context(new.following())
            new.wait_listed()
        return self._follower

    def keep(self, folder: Path) -> None:
        """Write a kubeconfig for use of the bay after the run.

        :param folder: folder of the file, which only this user can read
        :raises InvalidInput: when the file can't be written
        """
        with self._recorded_failures():
            self.kubeconfig = kubeconfig.write(
                folder, self.name, self._bays.credentials(self._cluster)
            )

    def sign(self, name: str) -> credentials.ServerCertificate:
        """Return a signed certificate for a server in the bay.

        :param name: DNS name by which clients address the server
        """
        return self._bays.server_certificate(self._cluster, name)

    def leave(self) -> None:
        """Keep the bay, and report how to use and to delete it."""
        self._open.close()
        self._log(
            f"keeping the bay {self.name}: use it with 'kubectl --kubeconfig "
            f"{self.kubeconfig} get nodes', or in MagnumScale."
            f'throughput_in_bay with "bay": "{self.name}" or "kubeconfig"; '
            f"delete it with 'openstack coe cluster delete {self.name}'"
        )

    def delete(self) -> None:
        """Delete the bay and wait until it is gone from Magnum.

        An interruption does not end this wait, only its deadline does.

        :raises BayDeleteFailed: with Magnum's reason
        :raises DeadlineExceeded: when the bay is not gone in time
        """
        if not self.record.uuid:
            return
        if self.kubeconfig:
            self.kubeconfig.unlink(missing_ok=True)
        if self._follower:
            self._note(nodes_deleted=len(self._follower.now()))
            self._follower.stop()
        with (
            self._open,
            interruption.deferred(),
            self._recorded_failures(),
        ):
            self._log(f"deleting the bay {self.name}")
            start = self._clock()
            observed = self._bays.delete(
                self.record.uuid,
                self._most_nodes,
                self._request.deadlines,
            )
            took_s = self._clock() - start
            self._note(status="GONE")
            if observed is not None:
                took_s -= observed.confirmed_s
                self._note(
                    delete_s=took_s,
                    delete_resolution_s=observed.resolution_of(took_s),
                )
        self._log(f"bay gone after {took_s:.1f} s")

    def _since_request(self) -> float:
        return self._clock() - self._requested_at

    def _note(self, **fields: Any) -> None:
        times_s = self._bays.request_times_s
        self.record = dataclasses.replace(
            self.record,
            client_memory_peak_bytes=memory.peak_bytes(),
            magnum_requests=len(times_s),
            magnum_requests_timed_out=self._bays.requests_timed_out,
            openstack_errors=self._bays.openstack_errors,
            magnum_request_s=node_times.nearest_ranks(times_s),
            **fields,
        )

    def _note_node_times(self, opened: client.KubeClient) -> None:
        """Record when each node became Ready; missing times are no error."""
        ready = [self._ready_node(one) for one in self.nodes if one.ready]
        clocks = self._clocks(opened)
        missing = node_times.doubt(ready, clocks)
        if missing:
            self._log(f"can't tell when each node became Ready: {missing}")
            clocks = node_times.Clocks(self._requested_at_epoch)
        found = node_times.spans(ready, clocks)
        least_s = node_times.all_ready_after_s(found, self._request.nodes)
        least_s = max(0.0, least_s - self._begun_within_s)
        exact_s = node_times.resolution_s(found)
        ready_s = self.record.nodes_ready_s
        self._note(
            nodes_ready_resolution_s=None
            if ready_s is None
            else ready_s - least_s,
            node_ready_s=None
            if missing
            else node_times.nearest_ranks(one.high_s for one in found),
            nodes_timed=0 if missing else len(found),
            node_ready_resolution_s=None
            if missing or exact_s is None
            else exact_s + self._begun_within_s,
            node_ready_missing=missing,
        )

    def _clocks(self, opened: client.KubeClient) -> node_times.Clocks:
        try:
            offset = opened.clock_offset(self._wall_clock)
        except exceptions.KubernetesError as error:
            self._log(
                f"using the times at which nodes were seen Ready: {error}"
            )
            return node_times.Clocks(self._requested_at_epoch)
        return node_times.Clocks(
            self._requested_at_epoch, offset.seconds, offset.error_s
        )

    def _ready_node(self, node: nodes.Node) -> node_times.ReadyNode:
        seen_at, unready_at = node.seen_ready_at, node.unready_at
        start = self._requested_at
        return node_times.ReadyNode(
            node.name,
            node.ready_at,
            None if seen_at is None else seen_at - start,
            0.0 if unready_at is None else unready_at - start,
            node.created_at,
        )

    @contextlib.contextmanager
    def _recorded_failures(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            status = _STATUS.get(type(error), self.record.status)
            self._note(status=status)
            if not self.record.failure:
                self._note(
                    failure=magnum_errors.failure_class(error),
                    reason=str(error),
                )
            raise


@contextlib.contextmanager
def open_bay(
    bays: lifecycle.Bays, cluster: Any
) -> Iterator[client.KubeClient]:
    """Open a bay's Kubernetes API with a certificate from Magnum.

    If the certificate expires during the run, Magnum signs another.

    :param bays: the bays of a project
    :param cluster: as Magnum shows it
    """

    def renew() -> tuple[str, str]:
        new = bays.credentials(cluster)
        return new.certificate_pem, new.key_pem

    own = bays.credentials(cluster)
    with client.connect(
        own.api_address,
        own.ca_pem,
        own.certificate_pem,
        own.key_pem,
        renew=renew,
    ) as opened:
        yield opened


def node_facts(found: Sequence[nodes.Node]) -> dict[str, Any]:
    """Return the fields of a bay's record that follow from its nodes."""
    real = [node for node in found if not node.hollow]
    return {
        "nodes_real": len(real),
        "nodes_hollow": len(found) - len(real),
        "cores_real_nodes": sum(node.all_cores for node in real),
    }

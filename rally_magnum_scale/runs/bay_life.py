"""One bay from the request to gone, and the record of it."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

from rally_magnum_scale import exceptions
from rally_magnum_scale import interruption
from rally_magnum_scale.bays import deadlines
from rally_magnum_scale.bays import lifecycle
from rally_magnum_scale.kubernetes import client
from rally_magnum_scale.kubernetes import nodes
from rally_magnum_scale.measurement import records

_STATUS: dict[type[Exception], str] = {
    exceptions.BayCreateFailed: "CREATE_FAILED",
    exceptions.BayDeleteFailed: "DELETE_FAILED",
}


class BayLife:
    """Makes a bay, opens its Kubernetes API and removes it again.

    :param bays: the bays of a project
    :param request: what is asked of Magnum
    :param report: gets lines of progress
    :param clock: monotonic seconds
    """

    def __init__(
        self,
        bays: lifecycle.Bays,
        request: lifecycle.BayRequest,
        report: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bays = bays
        self._request = request
        self._report = report
        self._clock = clock
        self._requested_at = 0.0
        self._open = contextlib.ExitStack()
        self.nodes: list[nodes.Node] = []
        self.record = records.Bay(
            uuid="",
            template=request.template or "",
            nodes=request.nodes,
            status="NOT_CREATED",
            poll_interval_s=lifecycle.POLL_INTERVAL_S,
        )

    @property
    def name(self) -> str:
        """Name of the bay."""
        return self._request.name

    def create(self) -> Any:
        """Ask for the bay and wait for CREATE_COMPLETE.

        :returns: the cluster as Magnum shows it
        :raises BayCreateFailed: with Magnum's reason
        :raises DeadlineExceeded: when it never completes
        """
        with self._failures_noted():
            self._report(
                f"asking Magnum for the bay {self.name} of "
                f"{self._request.nodes} nodes"
            )
            self._requested_at = self._clock()
            accepted = self._bays.request(self._request)
            self._note(uuid=accepted.uuid, status="CREATE_IN_PROGRESS")
            self._bays.wait_shown(accepted.uuid)
            cluster = self._bays.wait_created(
                accepted.uuid, self._request.nodes
            )
            self._note(
                status=cluster.status,
                create_s=self._since_request(),
                template=cluster.cluster_template_id,
            )
        self._report(f"bay complete after {self.record.create_s:.1f} s")
        return cluster

    def connect(self, cluster: Any) -> client.Cluster:
        """Open the bay's Kubernetes API with a certificate from Magnum.

        It stays open until :meth:`delete`.
        """
        with self._failures_noted():
            own = self._bays.credentials(cluster)
            opened = self._open.enter_context(
                client.connect(
                    own.api_address,
                    own.ca_pem,
                    own.certificate_pem,
                    own.key_pem,
                )
            )
            self._note(kubernetes_version=opened.version())
        return opened

    def wait_for_nodes(self, opened: client.Cluster) -> None:
        """Wait until all nodes that were asked for are Ready.

        :raises DeadlineExceeded: with the number that was Ready
        """
        with self._failures_noted():
            self.nodes = nodes.wait_for_ready(
                opened,
                self._request.nodes,
                deadline_s=deadlines.nodes_ready_s(self._request.nodes),
                report=self._report,
            )
            hollow = sum(node.hollow for node in self.nodes)
            self._note(
                nodes_ready_s=self._since_request(),
                nodes_hollow=hollow,
                nodes_real=len(self.nodes) - hollow,
                cores_real_nodes=sum(
                    node.cores for node in self.nodes if not node.hollow
                ),
            )
        self._report(
            f"{len(self.nodes)} nodes Ready ({hollow} of them hollow) after "
            f"{self.record.nodes_ready_s:.1f} s"
        )

    def delete(self) -> None:
        """Delete the bay and wait until Magnum has lost it.

        An interruption does not end this wait: its deadline does.

        :raises BayDeleteFailed: with Magnum's reason
        :raises DeadlineExceeded: when it never goes
        """
        if not self.record.uuid:
            return
        with (
            self._open,
            interruption.deferred(),
            self._failures_noted(),
        ):
            self._report(f"deleting the bay {self.name}")
            start = self._clock()
            deleted = self._bays.delete(self.record.uuid, self._request.nodes)
            took_s = self._clock() - start
            self._note(status="GONE", delete_s=took_s if deleted else None)
        self._report(f"bay gone after {took_s:.1f} s")

    def _since_request(self) -> float:
        return self._clock() - self._requested_at

    def _note(self, **fields: Any) -> None:
        self.record = dataclasses.replace(self.record, **fields)

    @contextlib.contextmanager
    def _failures_noted(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            status = _STATUS.get(type(error), self.record.status)
            self._note(status=status)
            if not self.record.failure:
                self._note(
                    failure=lifecycle.failure_class(error), reason=str(error)
                )
            raise

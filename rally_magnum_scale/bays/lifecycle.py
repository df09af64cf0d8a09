"""Create a bay, wait for it, delete it, and see that it is gone."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

from keystoneauth1 import exceptions as keystone_errors
from magnumclient import exceptions as magnum_errors
from magnumclient.v1 import client as magnum_client

from rally_magnum_scale import exceptions
from rally_magnum_scale import interruption
from rally_magnum_scale import waiting
from rally_magnum_scale.bays import credentials
from rally_magnum_scale.bays import deadlines
from rally_magnum_scale.bays import failures
from rally_magnum_scale.bays import templates

# A finer poll would load Magnum; a coarser one would blur the figures.
# Magnum itself looks at its stacks every 10 s by default.
POLL_INTERVAL_S = 1.0

MAX_ERRORS_IN_A_ROW = 5

# Magnum accepts a request before its conductor has written the bay down,
# and answers 404 until then.
SHOWN_WITHIN_S = 60.0

# Magnum lists up to this many objects in one answer by default.
PAGE = 1000


@dataclasses.dataclass(frozen=True)
class _Unknown:
    """A cluster before Magnum has shown it for the first time."""

    status: str | None = None


@dataclasses.dataclass(frozen=True)
class BayRequest:
    """What is asked of Magnum.

    :param nodes: number of nodes, masters not counted
    :param template: name or id of a cluster template; None for the only
        one that the cloud shows
    :param labels: cluster labels that are merged over the template's
    """

    name: str
    nodes: int
    template: str | None = None
    masters: int = 1
    keypair: str | None = None
    labels: dict[str, str] = dataclasses.field(default_factory=dict)


def connect(session: Any, region: str | None, interface: str | None) -> Any:
    """Open a Magnum client.

    :param session: an authenticated keystoneauth1 session
    :param region: name of the region, or None for the only one
    :param interface: ``public``, ``internal`` or ``admin``
    """
    return magnum_client.Client(
        session=session,
        region_name=region,
        interface=interface or "public",
        service_type="container-infra",
        # Magnum answers a request without a microversion as its oldest.
        api_version="latest",
    )


class Bays:
    """The bays of one project.

    :param magnum: from :func:`connect`
    :param report: gets lines of progress
    :param clock: monotonic seconds
    :param sleep: sleeps, and raises if the run is interrupted
    """

    def __init__(
        self,
        magnum: Any,
        report: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = interruption.sleep,
    ) -> None:
        self._magnum = magnum
        self._report = report
        self._clock = clock
        self._sleep = sleep

    def find_template(self, wanted: str | None) -> Any:
        """Return the cluster template to use.

        :raises TemplateNotFound: when none fits, or several do
        """
        return templates.choose(
            self._magnum.cluster_templates.list(limit=PAGE), wanted
        )

    def request(self, wanted: BayRequest) -> Any:
        """Ask Magnum for a bay; return when Magnum shows it.

        :raises TemplateNotFound: before anything is asked of Magnum
        :raises BayCreateFailed: when Magnum refuses the request
        """
        template = self.find_template(wanted.template)
        arguments: dict[str, Any] = {
            "name": wanted.name,
            "cluster_template_id": template.uuid,
            "node_count": wanted.nodes,
            "master_count": wanted.masters,
            "create_timeout": round(deadlines.create_s(wanted.nodes) / 60),
        }
        if wanted.keypair:
            arguments["keypair"] = wanted.keypair
        if wanted.labels:
            arguments |= {"labels": wanted.labels, "merge_labels": True}
        try:
            accepted = self._magnum.clusters.create(**arguments)
        except magnum_errors.ClientException as error:
            raise exceptions.BayCreateFailed(
                f"Magnum refused to create the bay {wanted.name} of "
                f"{wanted.nodes} nodes from the template {template.name}: "
                f"{error}."
            ) from error
        self._wait_shown(accepted.uuid, wanted)
        return accepted

    def _wait_shown(self, uuid: str, wanted: BayRequest) -> None:
        """Wait until a bay can be deleted, also when interrupted.

        A delete that comes before Magnum shows the bay is answered as if
        the bay were gone, and then it would come and stay.
        """
        get = self._getter(uuid)
        with interruption.deferred():
            self._wait(
                get,
                what=f"Magnum to show the bay {wanted.name}",
                deadline_s=SHOWN_WITHIN_S,
            )

    def wait_created(self, uuid: str, nodes: int) -> Any:
        """Wait for CREATE_COMPLETE.

        :returns: the cluster as Magnum shows it then
        :raises BayCreateFailed: at CREATE_FAILED, with Magnum's reason
        :raises DeadlineExceeded: when it never completes
        """
        seen = {"status": "requested"}
        get = self._getter(uuid)

        def poll() -> Any | None:
            cluster = get()
            if cluster is None:
                raise exceptions.BayCreateFailed(
                    f"Magnum lost the bay {uuid} of {nodes} nodes while it "
                    "was created; someone else may have deleted it."
                )
            seen["status"] = cluster.status
            if cluster.status == "CREATE_COMPLETE":
                return cluster
            if cluster.status not in (None, "CREATE_IN_PROGRESS"):
                raise exceptions.BayCreateFailed(
                    f"The bay {cluster.name} of {nodes} nodes went to "
                    f"{cluster.status}: {reason(cluster)}."
                )
            return None

        return self._wait(
            poll,
            what=f"Magnum to complete the bay of {nodes} nodes",
            deadline_s=deadlines.create_s(nodes),
            progress=lambda: seen["status"],
        )

    def delete(self, uuid: str, nodes: int) -> None:
        """Delete a bay and wait until Magnum has lost it.

        A bay that is not there any more is taken for deleted.

        :raises BayDeleteFailed: at DELETE_FAILED, with Magnum's reason
        :raises DeadlineExceeded: when it never goes
        """
        try:
            self._magnum.clusters.delete(uuid)
        except magnum_errors.NotFound:
            return
        self.wait_gone(uuid, nodes)

    def wait_gone(self, uuid: str, nodes: int) -> None:
        """Wait until Magnum has lost a bay; raises as :meth:`delete`."""
        seen = {"status": "requested"}
        get = self._getter(uuid)

        def poll() -> bool | None:
            cluster = get()
            if cluster is None or cluster.status == "DELETE_COMPLETE":
                return True
            seen["status"] = cluster.status
            if cluster.status == "DELETE_FAILED":
                raise exceptions.BayDeleteFailed(
                    f"The bay {cluster.name} went to DELETE_FAILED: "
                    f"{reason(cluster)}; delete it by hand with 'openstack "
                    f"coe cluster delete {uuid}'."
                )
            return None

        self._wait(
            poll,
            what=f"Magnum to delete the bay of {nodes} nodes",
            deadline_s=deadlines.delete_s(nodes),
            progress=lambda: seen["status"],
        )

    def credentials(self, cluster: Any) -> credentials.BayCredentials:
        """Return a signed client certificate for a bay."""
        return credentials.obtain(self._magnum, cluster)

    def _getter(self, uuid: str) -> Callable[[], Any | None]:
        """Return a function that gets a cluster, None when it is gone.

        An answer that is an error is passed over a few times in a row: an
        API under load drops requests, and a cluster that was just created
        may answer 400 once.
        """
        last: Any | None = _Unknown()
        failed = 0

        def poll() -> Any | None:
            nonlocal last, failed
            try:
                last = look(self._magnum.clusters, uuid)
                failed = 0
            except (
                magnum_errors.ClientException,
                keystone_errors.ClientException,
            ) as error:
                failed += 1
                if failed > MAX_ERRORS_IN_A_ROW:
                    raise exceptions.BayError(
                        f"Magnum answered {failed} requests for the bay "
                        f"{uuid} in a row with an error: {error}."
                    ) from error
            return last

        return poll

    def _wait(self, poll: Callable[[], Any], **options: Any) -> Any:
        return waiting.wait_for(
            poll,
            interval_s=POLL_INTERVAL_S,
            report=self._report,
            clock=self._clock,
            sleep=self._sleep,
            **options,
        )


def look(manager: Any, uuid: str) -> Any | None:
    """Return a cluster or template of Magnum, or None when it is gone.

    :param manager: ``clusters`` or ``cluster_templates`` of a client
    """
    try:
        return manager.get(uuid)
    except magnum_errors.NotFound:
        return None


def failure_class(error: Exception) -> str:
    """Return the class of a failed create or delete for the records."""
    if isinstance(error, exceptions.DeadlineExceeded):
        return "deadline"
    if isinstance(error, exceptions.Interrupted):
        return "interrupted"
    return failures.classify(str(error))


def reason(cluster: Any) -> str:
    """Return Magnum's words on a failed cluster, in one line."""
    return failures.explain(
        cluster.status_reason, getattr(cluster, "faults", None)
    ).rstrip(".")

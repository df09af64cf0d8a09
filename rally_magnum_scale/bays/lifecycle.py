"""Create and resize bays, wait for them, and delete them."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from typing import Any
from typing import TypeVar

from magnumclient import exceptions as magnum_exceptions
from magnumclient.v1 import client as magnum_client

from rally_magnum_scale import exceptions
from rally_magnum_scale import interruption
from rally_magnum_scale import retries
from rally_magnum_scale import waiting
from rally_magnum_scale.bays import bay_poller
from rally_magnum_scale.bays import credentials
from rally_magnum_scale.bays import deadlines as limits
from rally_magnum_scale.bays import failure_classes
from rally_magnum_scale.bays import listing
from rally_magnum_scale.bays import magnum_errors
from rally_magnum_scale.bays import openstack_session
from rally_magnum_scale.bays import resizing
from rally_magnum_scale.bays import selection
from rally_magnum_scale.bays import timing

T = TypeVar("T")

# A shorter interval would load Magnum, and a longer one would make the
# times less exact.  Magnum itself polls its stacks every 10 s by default.
POLL_INTERVAL_S = 1.0

# Magnum accepts a request before its conductor has stored the bay, and
# answers 404 until then.
SHOWN_WITHIN_S = 60.0

# Statuses of a bay that may still become complete.
STILL_CREATING = (None, "CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS")


@dataclasses.dataclass(frozen=True)
class BayRequest:
    """A request to create a bay.

    :param nodes: number of nodes without the masters
    :param template: name or id of a cluster template; None for the only
        template that the cloud shows
    :param labels: cluster labels, merged over the template's
    :param network: name or id of a Neutron network; None, here and below,
        for the template's value
    :param subnet: name or id of a subnet of that network
    :param flavor: of the nodes
    :param master_flavor: of the masters
    :param deadlines: of the bay's operations
    """

    name: str
    nodes: int
    template: str | None = None
    masters: int = 1
    keypair: str | None = None
    labels: dict[str, str] = dataclasses.field(default_factory=dict)
    network: str | None = None
    subnet: str | None = None
    flavor: str | None = None
    master_flavor: str | None = None
    deadlines: limits.Deadlines = limits.DEFAULT

    def arguments(self, template: str) -> dict[str, Any]:
        """Return the arguments of the request to Magnum's API.

        :param template: id of the cluster template
        """
        deadline_s = self.deadlines.for_create(self.nodes)
        optional = {
            "keypair": self.keypair,
            "fixed_network": self.network,
            "fixed_subnet": self.subnet,
            "flavor_id": self.flavor,
            "master_flavor_id": self.master_flavor,
        }
        labels = {"labels": self.labels, "merge_labels": True}
        return {
            "name": self.name,
            "cluster_template_id": template,
            "node_count": self.nodes,
            "master_count": self.masters,
            "create_timeout": math.ceil(deadline_s / 60),
            **{key: value for key, value in optional.items() if value},
            **(labels if self.labels else {}),
        }


def connect(session: Any, region: str | None, interface: str | None) -> Any:
    """Open a Magnum client whose requests follow the policy of retries.

    :param session: an authenticated keystoneauth1 session
    :param region: name of the region, or None for the only one
    :param interface: ``public``, ``internal`` or ``admin``
    :raises BayError: when the catalog of services can't be read
    """
    openstack_session.mount(session)
    try:
        return magnum_client.Client(
            session=timing.TimedSession(session),
            region_name=region,
            interface=interface or "public",
            service_type="container-infra",
            # Without a microversion, Magnum uses its oldest.
            api_version="latest",
        )
    except RuntimeError as error:
        # The client's word for any failure to log in.
        raise exceptions.BayError(
            f"Keystone returned no endpoint of Magnum: {error}"
            f"{failure_classes.advice(str(error))}.",
            reason=str(error),
        ) from error


class Bays:
    """The bays of one project.

    :param magnum: from :func:`connect`
    :param log: callback for progress lines
    :param clock: monotonic seconds
    :param sleep: sleeps, and raises if the run is interrupted
    """

    def __init__(
        self,
        magnum: Any,
        log: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = interruption.sleep,
    ) -> None:
        self._magnum = magnum
        self._log = log
        self._clock = clock
        self._sleep = sleep

    @property
    def request_times_s(self) -> list[float]:
        """Duration of each request to Magnum's API so far."""
        return list(self._magnum.http_client.session.times_s)

    @property
    def requests_timed_out(self) -> int:
        """Number of requests to Magnum's API that timed out."""
        return int(self._magnum.http_client.session.timed_out)

    @property
    def openstack_errors(self) -> dict[str, int]:
        """Number of requests that failed, by service and failure, so far."""
        session = self._magnum.http_client.session
        return openstack_session.mount(session).errors

    def begin(self, request: Callable[[], T]) -> tuple[T, float]:
        """Send a request that begins an operation.

        :param request: sends it, and repeats it after errors
        :returns: its result, and the seconds until Magnum accepted it,
            within which the operation began
        """
        start = self._clock()
        result = request()
        return result, self._clock() - start

    def find_template(self, wanted: str | None) -> Any:
        """Return the cluster template to use.

        :raises TemplateNotFound: when no template or several match
        """
        with magnum_errors.translate_errors("list the cluster templates"):
            shown = listing.list_all(
                self._magnum.cluster_templates, self._sleep
            )
        return selection.choose_template(shown, wanted)

    def find(self, wanted: str) -> Any:
        """Return an existing bay that can be used.

        :param wanted: name or id
        :raises BayNotFound: when no bay or several match
        :raises BayError: when the bay is not complete
        """
        with magnum_errors.translate_errors("list the bays"):
            shown = listing.list_all(self._magnum.clusters, self._sleep)
        found = selection.choose_bay(shown, wanted)
        return self.show(found.uuid)

    def show(self, uuid: str) -> Any:
        """Return the current state of a bay.

        :raises BayError: when Magnum does not show it
        """
        with magnum_errors.translate_errors(f"show the bay {uuid}"):
            return self._magnum.clusters.get(uuid)

    def request(self, wanted: BayRequest, template: Any) -> Any:
        """Request a bay and return the accepted cluster without waiting.

        Call :meth:`wait_shown` next: until it returns, the bay can't be
        deleted.

        :param template: from :meth:`find_template`
        :raises BayCreateFailed: when Magnum refuses the request
        """
        with magnum_errors.translate_errors(
            f"create the bay {wanted.name} of {wanted.nodes} nodes from the "
            f"template {template.name}",
            exceptions.BayCreateFailed,
        ):
            return magnum_errors.send_once(
                lambda: self._magnum.clusters.create(
                    **wanted.arguments(template.uuid)
                ),
                # The names of bays are unique.
                lambda: self._named(wanted.name),
                clock=self._clock,
                sleep=self._sleep,
            )

    def _named(self, name: str) -> Any | None:
        shown = listing.list_all(self._magnum.clusters, self._sleep)
        return next((bay for bay in shown if bay.name == name), None)

    def wait_shown(self, uuid: str) -> None:
        """Wait until a requested bay can be deleted.

        If a delete request arrives before Magnum shows the bay, Magnum
        answers that the bay is gone, creates it afterwards, and nobody
        deletes it.  Therefore an interruption does not end this wait.

        :raises DeadlineExceeded: when Magnum does not show the bay
        """
        poller = self._poller(uuid)

        def poll() -> bool | None:
            found = poller()
            return None if found in (None, bay_poller.UNKNOWN) else True

        with interruption.deferred():
            self._wait(
                poll,
                what=f"Magnum to show the bay {uuid}",
                deadline_s=SHOWN_WITHIN_S,
            )

    def wait_created(
        self,
        uuid: str,
        nodes: int,
        deadlines: limits.Deadlines = limits.DEFAULT,
    ) -> bay_poller.Observed:
        """Wait for CREATE_COMPLETE.

        :returns: the complete cluster and the resolution of the time
        :raises BayCreateFailed: at CREATE_FAILED, with Magnum's reason
        :raises DeadlineExceeded: when the create does not complete in time
        """
        poller = self._poller(uuid, deadlines.for_create(nodes))

        def poll() -> bay_poller.Observed | None:
            cluster = poller()
            if cluster is None:
                if poller.gone < bay_poller.POLLS_UNTIL_GONE:
                    return None
                raise exceptions.BayCreateFailed(
                    f"Magnum lost the bay {uuid} of {nodes} nodes during its "
                    "creation; someone else may have deleted it."
                )
            # Something else, such as an autoscaler, may update the bay as
            # soon as it is complete.
            if cluster.status in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
                return poller.observed()
            if cluster.status not in STILL_CREATING:
                why = magnum_errors.failure_reason(cluster, poller.node_groups)
                raise exceptions.BayCreateFailed(
                    f"The bay {cluster.name} of {nodes} nodes went to "
                    f"{cluster.status}: {why}{failure_classes.advice(why)}.",
                    reason=why,
                )
            poller.not_yet()
            return None

        return self._wait(
            poll,
            what=f"Magnum to complete the bay of {nodes} nodes",
            deadline_s=deadlines.for_create(nodes),
            progress=poller.progress,
        )

    def nodes_of_group(self, cluster: Any, name: str) -> int:
        """Return the number of nodes in a node group of a bay.

        :param cluster: the bay
        :param name: name or id of the group
        :raises BayResizeFailed: when Magnum shows no such group
        """
        what = f"show the node group {name} of the bay {cluster.name}"
        with magnum_errors.translate_errors(what, exceptions.BayResizeFailed):
            found = self._magnum.nodegroups.get(cluster.uuid, name)
        return int(found.node_count)

    def prepare_resize(
        self,
        cluster: Any,
        wanted: resizing.ResizeRequest,
        settled: Callable[[], bool],
    ) -> resizing.Resize:
        """Prepare a resize for the microversion of this Magnum.

        :param cluster: as Magnum shows it before the resize
        :param wanted: the new size
        :param settled: returns whether the nodes have reached the wanted
            state
        :raises BayResizeFailed: when Magnum is too old for the request
        """
        return resizing.Resize(
            self._magnum, cluster, wanted, settled, self._clock, self._sleep
        )

    def resize(
        self, resize: resizing.Resize, deadline_s: float
    ) -> bay_poller.Observed:
        """Resize a bay and wait for UPDATE_COMPLETE.

        :param resize: from :meth:`prepare_resize`
        :param deadline_s: seconds from the request on
        :returns: the complete cluster and the resolution of the time
        :raises BayResizeFailed: when Magnum refuses, and at UPDATE_FAILED,
            with Magnum's reason
        :raises DeadlineExceeded: when the resize does not complete in time
        """
        _, within_s = self.begin(resize.request)
        observed = self._wait(
            resize.poll,
            what=f"Magnum to resize the bay to {resize.nodes} nodes",
            deadline_s=deadline_s,
            progress=lambda: resize.progress,
        )
        return observed.begun_within(within_s)

    def delete(
        self,
        uuid: str,
        nodes: int,
        deadlines: limits.Deadlines = limits.DEFAULT,
    ) -> bay_poller.Observed | None:
        """Delete a bay and wait until it is gone from Magnum.

        :returns: the result of the wait; None when the bay was gone before
            the request
        :raises BayDeleteFailed: at DELETE_FAILED, with Magnum's reason
        :raises DeadlineExceeded: when the bay is not gone in time
        """
        found, within_s = self.begin(lambda: self._request_delete(uuid))
        if not found:
            return None
        observed = self.wait_gone(uuid, nodes, deadlines)
        return observed.begun_within(within_s)

    def _request_delete(self, uuid: str) -> bool:
        """Send the delete request.

        :returns: False when the bay is already gone
        """
        try:
            self._magnum.clusters.delete(uuid)
        except magnum_exceptions.NotFound:
            return False
        except magnum_errors.CLIENT_ERRORS as error:
            why = magnum_errors.message_of(error)
            raise exceptions.BayDeleteFailed(
                f"Magnum refused to delete the bay {uuid}: {why}; delete it "
                f"by hand with 'openstack coe cluster delete {uuid}'.",
                reason=why,
            ) from error
        return True

    def wait_gone(
        self,
        uuid: str,
        nodes: int,
        deadlines: limits.Deadlines = limits.DEFAULT,
    ) -> bay_poller.Observed:
        """Wait until a bay is gone from Magnum; raises as :meth:`delete`.

        Repeats a delete request that Magnum has lost.

        :returns: the result of the wait
        """
        poller = self._poller(uuid, deadlines.for_delete(nodes))
        retry = bay_poller.DeleteRetry(lambda: self._request_delete(uuid))

        def poll() -> bay_poller.Observed | None:
            cluster = poller.until_sure()
            if cluster is None and poller.gone < bay_poller.POLLS_UNTIL_GONE:
                return None
            if cluster is None or cluster.status == "DELETE_COMPLETE":
                return poller.observed()
            retry.on_status(cluster.status)
            if cluster.status == "DELETE_FAILED":
                why = magnum_errors.failure_reason(cluster, poller.node_groups)
                raise exceptions.BayDeleteFailed(
                    f"The bay {cluster.name} went to DELETE_FAILED: {why}"
                    f"{failure_classes.advice(why)}; delete it by hand with "
                    f"'openstack coe cluster delete {uuid}'.",
                    reason=why,
                )
            poller.not_yet()
            return None

        return self._wait(
            poll,
            what=f"Magnum to delete the bay of {nodes} nodes",
            deadline_s=deadlines.for_delete(nodes),
            progress=poller.progress,
        )

    def server_certificate(
        self, cluster: Any, name: str
    ) -> credentials.ServerCertificate:
        """Return a signed certificate for a server in a bay."""
        with magnum_errors.translate_errors(
            "sign a certificate for the targets"
        ):
            return credentials.obtain_for_server(self._magnum, cluster, name)

    def credentials(self, cluster: Any) -> credentials.BayCredentials:
        """Return a signed client certificate for a bay."""
        with magnum_errors.translate_errors("sign a certificate for the bay"):
            return credentials.obtain(self._magnum, cluster)

    def _poller(
        self, uuid: str, deadline_s: float = SHOWN_WITHIN_S
    ) -> bay_poller.BayPoller:
        return bay_poller.BayPoller(
            self._magnum,
            uuid,
            self._clock,
            retries.patience_for(deadline_s),
        )

    def _wait(self, poll: Callable[[], T | None], **options: Any) -> T:
        return waiting.wait_for(
            poll,
            interval_s=POLL_INTERVAL_S,
            log=self._log,
            clock=self._clock,
            sleep=self._sleep,
            **options,
        )

"""Read what a project of a cloud has, as far as the cloud shows it."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import uuid
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import TypeVar

from openstack import exceptions as openstack_errors

from rally_magnum_scale import cloud_commands
from rally_magnum_scale import exceptions
from rally_magnum_scale.bays import lifecycle
from rally_magnum_scale.bays import listing
from rally_magnum_scale.bays import machines
from rally_magnum_scale.bays import quotas
from rally_magnum_scale.bays import reading
from rally_magnum_scale.kube import client

T = TypeVar("T")

UNLIMITED = -1

# What Neutron creates in each new project.
_USED_BY_NEW = {"security_group": 1, "security_group_rule": 4}


class Silent(exceptions.ScaleError):
    """The Kubernetes API of a bay does not answer."""


@dataclasses.dataclass(frozen=True)
class Quota:
    """A limit, and how much of it is in use.

    :param limit: -1 without a limit
    :param planned: whether the task itself sets the limit
    """

    limit: int
    used: int = 0
    planned: bool = False

    @property
    def free(self) -> int:
        return max(0, self.limit - self.used)


@dataclasses.dataclass(frozen=True)
class _Service:
    """How a service shows quotas.

    :param used: path of the limits and the use of a project
    :param defaults: path of the limits of a new project
    """

    name: str
    client: str
    used: str
    defaults: str


_SERVICES = {
    "nova": _Service(
        "Nova",
        "compute",
        "/os-quota-sets/{project}/detail",
        "/os-quota-sets/{project}/defaults",
    ),
    "cinder": _Service(
        "Cinder",
        "block_storage",
        "/os-quota-sets/{project}?usage=True",
        "/os-quota-sets/{project}/defaults",
    ),
    "neutron": _Service(
        "Neutron",
        "network",
        "/quotas/{project}/details",
        "/quotas/{project}/default",
    ),
    "octavia": _Service(
        "Octavia",
        "load_balancer",
        "/lbaas/quotas/{project}",
        "/lbaas/quotas/defaults",
    ),
}


def _cached(read: Callable[..., T]) -> Callable[..., T]:
    """Read something once, even if the cloud does not show it."""

    @functools.wraps(read)
    def wrapper(self: Project, *wanted: str) -> T:
        key = read.__name__, wanted
        if key not in self._known:
            try:
                self._known[key] = read(self, *wanted)
            except reading.Unreadable as error:
                self._known[key] = error
        if isinstance(found := self._known[key], reading.Unreadable):
            raise found
        answer: T = found
        return answer

    return wrapper


@dataclasses.dataclass(eq=False)
class Project:
    """A project in which a task creates bays.

    Each method raises Unreadable when a service does not show something.

    :param session: an authenticated keystoneauth1 session
    :param region: name of the region, or None for the only one
    :param interface: ``public``, ``internal`` or ``admin``
    :param new: whether Rally will create the project; the session is then
        that of the administrator
    """

    session: Any
    region: str | None
    interface: str | None
    new: bool = dataclasses.field(kw_only=True)
    _known: dict[Any, Any] = dataclasses.field(
        default_factory=dict, init=False
    )

    @functools.cached_property
    def _id(self) -> str:
        return str(self.session.get_project_id())

    @functools.cached_property
    def _magnum(self) -> Any:
        return lifecycle.connect(self.session, self.region, self.interface)

    @functools.cached_property
    def _cloud(self) -> Any:
        return machines.connect(self.session, self.region, self.interface)

    def quota(
        self, service: str, resource: str, planned: int | None = None
    ) -> Quota:
        """Return a quota of the project.

        :param service: a key of the context ``quotas``, or ``magnum`` or
            ``octavia``
        :param resource: a key of that service
        :param planned: the limit that the task sets; None if it sets none
        """
        if planned == UNLIMITED:
            return Quota(UNLIMITED, planned=True)
        if planned is not None and self.new:
            return Quota(planned, _USED_BY_NEW.get(resource, 0), planned=True)
        try:
            found = self._quotas(service)[resource]
        except KeyError:
            raise reading.Unreadable(
                f"{service.capitalize()} shows no quota {resource}"
            ) from None
        if planned is None:
            return found
        return Quota(planned, found.used, planned=True)

    @_cached
    def _quotas(self, service: str) -> dict[str, Quota]:
        if service == "magnum":
            return {"bays": self._bays()}
        of = _SERVICES[service]
        path = (of.defaults if self.new else of.used).format(project=self._id)
        with reading.readable(of.name):
            (shown,) = self._get(of.client, path).values()
            found = {
                resource: _quota(resource, limit)
                for resource, limit in shown.items()
                if isinstance(limit, int | dict)
            }
            if service == "octavia" and not self.new:
                # Octavia shows no use.
                found["load_balancer"] = dataclasses.replace(
                    found["load_balancer"], used=self._load_balancers()
                )
        return found

    def _bays(self) -> Quota:
        with reading.readable("Magnum"):
            own = quotas.BayQuotas(self._magnum)
            if self.new:
                # Magnum answers with its default for any other id.
                return Quota(own.get(uuid.uuid4().hex))
            limit = own.get(self._id)
            return Quota(limit, limit - own.remaining(self._id))

    def _load_balancers(self) -> int:
        query = f"/lbaas/loadbalancers?project_id={self._id}&fields=id"
        return len(self._get("load_balancer", query)["loadbalancers"])

    def _get(self, client: str, path: str) -> dict[str, Any]:
        response = getattr(self._cloud, client).get(path)
        openstack_errors.raise_from_response(response)
        body: dict[str, Any] = response.json()
        return body

    @_cached
    def templates(self) -> list[Any]:
        """Return the cluster templates that users of the project see."""
        with reading.readable("Magnum"):
            shown = listing.list_all(
                self._magnum.cluster_templates, detail=True
            )
        if not self.new:
            return shown
        return [
            template
            for template in shown
            if template.public and not getattr(template, "hidden", False)
        ]

    @_cached
    def find(self, client: str, kind: str, wanted: str) -> Any | None:
        """Return an object by its name or id; None if there is none.

        :param client: name of openstacksdk's client
        :param kind: such as ``flavor``
        :raises Unreadable: also when there are several objects of the name
        """
        names = {each.client: each.name for each in _SERVICES.values()}
        names["image"] = "Glance"
        with reading.readable(names[client]):
            own = getattr(self._cloud, client)
            return getattr(own, f"find_{kind}")(wanted, ignore_missing=True)

    def find_bay(self, wanted: str) -> tuple[Any, lifecycle.Bays]:
        """Return an existing bay, and the bays of the project.

        :param wanted: name or id
        :raises Unreadable: when there is no such bay, or it is not complete,
            or Magnum does not answer
        """
        with reading.readable("Magnum"):
            bays = lifecycle.Bays(self._magnum)
            return bays.find(wanted), bays

    def free_addresses(self, network: str, subnet: str | None) -> Quota:
        """Return the addresses of an existing network.

        :param subnet: id of its only subnet to count; None for all
        """
        path = f"/network-ip-availabilities/{network}"
        with reading.readable("Neutron"):
            shown = self._get("network", path)["network_ip_availability"]
            counted = [
                one
                for one in shown["subnet_ip_availability"]
                if subnet in (None, one["subnet_id"])
            ]
            return Quota(
                sum(one["total_ips"] for one in counted),
                sum(one["used_ips"] for one in counted),
            )


class Projects:
    """The projects of a Rally environment.

    :param platform: what Rally stores of the platform ``openstack``
    """

    def __init__(self, platform: Mapping[str, Any]) -> None:
        self._admin = platform.get("admin")
        users = platform.get("users") or ()
        # The users of a project share its quotas.
        self._users = {
            (each.get("project_domain_name"), each["tenant_name"]): each
            for each in reversed(users)
        }

    @property
    def existing(self) -> int:
        """Number of projects with existing users."""
        return len(self._users)

    @functools.cache  # noqa: B019 - lives as long as the program
    def open(self, new: bool) -> Sequence[Project]:
        """Open the projects of a workload.

        :raises InvalidInput: when Rally can't create projects
        :raises Unreadable: when a login fails
        """
        if not new:
            return [_open(each, new=False) for each in self._users.values()]
        if self._admin is None:
            raise exceptions.InvalidInput(
                "Rally would create projects for this task, but its "
                "environment has no administrator. Add 'admin' to the spec "
                "of the environment, or list existing 'users' in it."
            )
        return [_open(self._admin, new=True)]


def _open(given: Mapping[str, Any], *, new: bool) -> Project:
    return Project(*cloud_commands.log_in(given), new=new)


@contextlib.contextmanager
def readable_bay() -> Iterator[None]:
    """Turn the errors of a bay's Kubernetes API into one sentence.

    :raises Unreadable: when the API refuses
    :raises Silent: when the API does not answer
    """
    try:
        with reading.readable("the Kubernetes API"):
            yield
    except exceptions.KubernetesError as error:
        broken = isinstance(error.__cause__, client.BROKEN)
        kind = Silent if broken else reading.Unreadable
        raise kind(str(error).rstrip(".")) from error


def _quota(resource: str, shown: Any) -> Quota:
    if isinstance(shown, int):
        return Quota(shown, _USED_BY_NEW.get(resource, 0))
    used = shown["in_use"] if "in_use" in shown else shown["used"]
    return Quota(int(shown["limit"]), int(used) + int(shown["reserved"]))

"""Create the cluster templates of a task, and explain refusals."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from keystoneauth1 import adapter
from keystoneauth1 import exceptions as keystone_errors

from rally_magnum_scale import exceptions
from rally_magnum_scale import interruption
from rally_magnum_scale.bays import listing
from rally_magnum_scale.bays import magnum_errors
from rally_magnum_scale.bays import selection

# A key of the task, Magnum's name for it, and a word from Magnum's errors.
_KEYS = (
    ("image", "image_id", "image"),
    ("flavor", "flavor_id", "flavor"),
    ("master_flavor", "master_flavor_id", "flavor"),
    ("external_network", "external_network_id", "external network"),
    ("fixed_network", "fixed_network", "network"),
    ("fixed_subnet", "fixed_subnet", "subnet"),
    ("keypair", "keypair_id", "keypair"),
    ("coe", "coe", "coe"),
    ("driver", "driver", "driver"),
    ("network_driver", "network_driver", "network driver"),
    ("volume_driver", "volume_driver", "volume driver"),
    ("docker_volume_size", "docker_volume_size", "volume size"),
    ("docker_storage_driver", "docker_storage_driver", "storage driver"),
    ("server_type", "server_type", "server type"),
    ("dns_nameserver", "dns_nameserver", "dns"),
    ("http_proxy", "http_proxy", "proxy"),
    ("https_proxy", "https_proxy", "proxy"),
    ("no_proxy", "no_proxy", "proxy"),
    ("master_lb_enabled", "master_lb_enabled", "master_lb_enabled"),
    ("floating_ip_enabled", "floating_ip_enabled", "floating_ip_enabled"),
    ("tls_disabled", "tls_disabled", "tls_disabled"),
    ("registry_enabled", "registry_enabled", "registry_enabled"),
    ("insecure_registry", "insecure_registry", "insecure_registry"),
)
KEYS = tuple(key for key, _, _ in _KEYS)


@dataclasses.dataclass(frozen=True)
class TemplateRequest:
    """A cluster template as a task describes it.

    :param name: name by which the task refers to the template
    :param fields: values by the keys of a task: ``image``, ``flavor``, …
    :param labels: merged over the labels of the source template
    :param copied: whether missing fields come from a source template
    :param source: name or id of the source template; None for the only
        template that the cloud shows
    """

    name: str
    fields: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    copied: bool = False
    source: str | None = None

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> TemplateRequest:
        """Read a template from a task file."""
        return cls(
            name=given["name"],
            fields={k: v for k, v in given.items() if k in KEYS},
            labels=dict(given.get("labels") or {}),
            copied="from" in given,
            source=given.get("from"),
        )

    def arguments(self, name: str, source: Any | None = None) -> Any:
        """Return the arguments of the request to Magnum's API.

        :param name: name of the template in Magnum
        :param source: Magnum's template that missing fields come from
        """
        arguments: dict[str, Any] = {"name": name, "coe": selection.COE}
        copied = getattr(source, "labels", None) or {}
        labels = {**copied, **self.labels}
        for key, attribute, _ in _KEYS:
            value = self.fields.get(key, getattr(source, attribute, None))
            if value is not None:
                arguments[attribute] = value
        return {**arguments, "labels": labels}


class Templates:
    """The cluster templates of one project.

    :param magnum: from :func:`~rally_magnum_scale.bays.lifecycle.connect`
    :param clock: monotonic seconds
    :param sleep: sleeps, and raises if the run is interrupted
    """

    def __init__(
        self,
        magnum: Any,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = interruption.sleep,
    ) -> None:
        self._magnum = magnum
        self._clock = clock
        self._sleep = sleep

    def source(self, wanted: TemplateRequest) -> Any | None:
        """Return the source template of a request, or None without one.

        Call this for all requests of a task before the first template is
        created.  Afterwards the source is no longer the only template.

        :raises TemplateNotFound: when there is no source template
        """
        if not wanted.copied:
            return None
        with magnum_errors.translate_errors("list the cluster templates"):
            shown = listing.list_all(
                self._magnum.cluster_templates, detail=True
            )
        return selection.choose_template(shown, wanted.source, key="from")

    def create(
        self, wanted: TemplateRequest, name: str, source: Any | None = None
    ) -> Any:
        """Create a cluster template.

        :param name: name of the template in Magnum, which no other has
        :param source: from :meth:`source`
        :returns: the template as Magnum shows it
        :raises TemplateCreateFailed: with the key that Magnum refuses
        """
        arguments = wanted.arguments(name, source)
        try:
            return magnum_errors.send_once(
                lambda: self._magnum.cluster_templates.create(**arguments),
                lambda: self._named(name),
                clock=self._clock,
                sleep=self._sleep,
            )
        except magnum_errors.CLIENT_ERRORS as error:
            raise exceptions.TemplateCreateFailed(
                f"Magnum refused to create the template {wanted.name!r}"
                f"{_refused_key(wanted, arguments, str(error))}: "
                f"{magnum_errors.message_of(error)}."
            ) from error

    def _named(self, name: str) -> Any | None:
        shown = listing.list_all(self._magnum.cluster_templates, self._sleep)
        return next((each for each in shown if each.name == name), None)

    def delete(self, uuid: str) -> None:
        """Delete a cluster template; ignore one that is already gone.

        :raises BayError: when Magnum refuses
        """
        with (
            magnum_errors.translate_errors(
                f"delete the cluster template {uuid}"
            ),
            magnum_errors.ignore_not_found(),
        ):
            self._magnum.cluster_templates.delete(uuid)


def require_keypair(
    session: Any, region: str | None, interface: str | None, name: str
) -> None:
    """Raise unless the session's user has a keypair of this name.

    Magnum checks the keypair of a template only when it creates a bay.

    :param session: an authenticated keystoneauth1 session
    :param region: name of the region, or None for the only one
    :param interface: ``public``, ``internal`` or ``admin``
    :raises BayError: when Nova has no such keypair
    """
    nova = adapter.Adapter(
        session,
        service_type="compute",
        region_name=region,
        interface=interface or "public",
    )
    try:
        response = nova.get(f"/os-keypairs/{name}", raise_exc=False)
    except keystone_errors.ClientException:
        # Nova is missing or unavailable: leave the check to Magnum.
        return
    if response.status_code == HTTPStatus.NOT_FOUND:
        raise exceptions.BayError(
            f"The user has no keypair {name!r}; set keypair to a name from "
            "'openstack keypair list', or remove it."
        )


def _refused_key(
    wanted: TemplateRequest, arguments: Mapping[str, Any], message: str
) -> str:
    """Return the key that Magnum refuses, as a clause; empty if unclear."""
    # Magnum first reads the image's os_distro from Glance.  Its error does
    # not say whether the image or its os_distro is missing.
    if re.search(r"Cluster type .* not supported", message):
        return (
            f" because its image {arguments.get('image_id')!r} does not "
            "exist, or no driver supports its os_distro (key 'image')"
        )
    for key, attribute, named in _KEYS:
        value = arguments.get(attribute)
        if value is not None and _is_meant(attribute, named, value, message):
            copied = wanted.copied and key not in wanted.fields
            origin = ", copied" if copied else ""
            return f" because of its key {key!r} ({value!r}{origin})"
    return ""


def _is_meant(attribute: str, named: str, value: Any, message: str) -> bool:
    if f"field/attribute {attribute}" in message:
        return True
    return named in message.lower() and str(value) in message

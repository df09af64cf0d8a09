"""Cluster templates that a task asks for, and Magnum's words on them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from rally_magnum_scale import exceptions
from rally_magnum_scale.bays import listing
from rally_magnum_scale.bays import magnum_errors
from rally_magnum_scale.bays import templates

# A task's key, what Magnum calls it, and a word of Magnum's errors on it.
_KEYS = (
    ("image", "image_id", "image"),
    ("flavor", "flavor_id", "flavor"),
    ("master_flavor", "master_flavor_id", "flavor"),
    ("external_network", "external_network_id", "external network"),
    ("fixed_network", "fixed_network", "network"),
    ("fixed_subnet", "fixed_subnet", "subnet"),
    ("keypair", "keypair_id", "keypair"),
    ("coe", "coe", "coe"),
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

    :param name: how the task refers to it
    :param fields: by the keys of a task: ``image``, ``flavor``, …
    :param labels: merged over those of the template it is copied from
    :param copied: whether the rest is copied from another template
    :param source: name or id of that; None for the only one that there is
    """

    name: str
    fields: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    copied: bool = False
    source: str | None = None

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> TemplateRequest:
        """Read a template of a task file."""
        return cls(
            name=given["name"],
            fields={k: v for k, v in given.items() if k in KEYS},
            labels=dict(given.get("labels") or {}),
            copied="from" in given,
            source=given.get("from"),
        )

    def arguments(self, name: str, source: Any | None = None) -> Any:
        """Return what Magnum's API takes.

        :param name: that the template gets in Magnum
        :param source: Magnum's template to copy the rest from
        """
        arguments: dict[str, Any] = {"name": name, "coe": templates.COE}
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
    """

    def __init__(self, magnum: Any) -> None:
        self._magnum = magnum

    def source(self, wanted: TemplateRequest) -> Any | None:
        """Return Magnum's template that one is copied from, if any.

        To be asked for all of a task before the first is made: then there
        is no longer only one.

        :raises TemplateNotFound: when there is none to copy from
        """
        if not wanted.copied:
            return None
        with magnum_errors.translate_errors("list the cluster templates"):
            shown = listing.everything(
                self._magnum.cluster_templates, detail=True
            )
        return templates.choose(shown, wanted.source, key="from")

    def create(
        self, wanted: TemplateRequest, name: str, source: Any | None = None
    ) -> Any:
        """Make a cluster template.

        :param name: that it gets in Magnum
        :param source: from :meth:`source`
        :returns: the template as Magnum shows it
        :raises TemplateCreateFailed: with the key that Magnum objects to
        """
        arguments = wanted.arguments(name, source)
        try:
            return self._magnum.cluster_templates.create(**arguments)
        except magnum_errors.CLIENT_ERRORS as error:
            raise exceptions.TemplateCreateFailed(
                f"Magnum refused to make the template {wanted.name!r}"
                f"{_objection(wanted, arguments, str(error))}: "
                f"{magnum_errors.words(error)}."
            ) from error

    def delete(self, uuid: str) -> None:
        """Remove a cluster template; one that is gone is no error.

        :raises BayError: when Magnum refuses
        """
        with (
            magnum_errors.translate_errors(
                f"remove the cluster template {uuid}"
            ),
            magnum_errors.gone_is_fine(),
        ):
            self._magnum.cluster_templates.delete(uuid)


def _objection(
    wanted: TemplateRequest, arguments: Mapping[str, Any], words: str
) -> str:
    """Return which key Magnum means, in words; empty when it is not clear."""
    # Magnum asks Glance for the image's os_distro first, and tells neither
    # that the image is missing nor that it has none.
    if re.search(r"Cluster type .* not supported", words):
        return (
            f" because its image {arguments.get('image_id')!r} does not "
            "exist, or has an os_distro that no driver is for (key 'image')"
        )
    for key, attribute, named in _KEYS:
        value = arguments.get(attribute)
        if value is not None and _is_meant(attribute, named, value, words):
            copied = wanted.copied and key not in wanted.fields
            whence = ", copied" if copied else ""
            return f" because of its key {key!r} ({value!r}{whence})"
    return ""


def _is_meant(attribute: str, named: str, value: Any, words: str) -> bool:
    if f"field/attribute {attribute}" in words:
        return True
    return named in words.lower() and str(value) in words

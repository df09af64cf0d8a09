"""A context that creates cluster templates for the time of a workload."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from rally import consts
from rally.common import logging
from rally.common import validation
from rally.task import context
from rally_openstack.task import context as openstack_context

from rally_magnum_scale import exceptions
from rally_magnum_scale import interruption
from rally_magnum_scale.bays import templates
from rally_magnum_scale.task import clients
from rally_magnum_scale.task import validator_base
from rally_magnum_scale.task.recovery import cleanup

LOG = logging.getLogger(__name__)

_SWITCH = {"type": "boolean"}
_KINDS: dict[str, dict[str, Any]] = {
    "docker_volume_size": {"type": "integer", "minimum": 1},
    "master_lb_enabled": _SWITCH,
    "floating_ip_enabled": _SWITCH,
    "tls_disabled": _SWITCH,
    "registry_enabled": _SWITCH,
}
# As Magnum's API checks it (magnum/api/controllers/v1/cluster_template.py).
_TEXT = {"type": "string", "minLength": 1, "maxLength": 255}
_TEMPLATE = {
    "type": "object",
    "properties": {
        "name": _TEXT,
        "from": {"type": ["string", "null"], "minLength": 1},
        "labels": {
            "type": "object",
            "additionalProperties": {"type": "string"},
        },
        **{key: _KINDS.get(key, _TEXT) for key in templates.KEYS},
    },
    "required": ["name"],
    "additionalProperties": False,
}


@validation.configure(name="magnum_scale_bay_templates")
class BayTemplatesValidator(validator_base.Validator):
    """Check what the schema can't check about templates."""

    def check(self, validated: validator_base.Validated) -> None:
        seen: set[str] = set()
        for template in _well_formed(validated.config):
            name = template["name"]
            if name in seen:
                self.fail(
                    f"bay_templates has two templates of the name {name!r}. "
                    "Give each template a name of its own."
                )
            seen.add(name)
            if not {"image", "from"} & set(template):
                self.fail(
                    f"The template {name!r} of bay_templates has neither "
                    "'image' nor 'from'. Set 'image' to the image of the "
                    "nodes, or 'from' to the template to copy."
                )


@validation.add("magnum_scale_bay_templates")
@validation.add("required_platform", platform="openstack", users=True)
@context.configure(name="bay_templates", platform="openstack", order=471)
class BayTemplates(cleanup.NamedContext, openstack_context.OpenStackContext):
    """Creates cluster templates in each tenant and deletes them at the end.

    A scenario selects a template by setting ``bay_template`` to the
    ``name`` of one of ``templates``.  In Magnum the templates have random
    names.  ``from`` is the name or id of an existing template, or null for
    the only template that the cloud shows.  Fields that are not given are
    copied from that template.  Labels are merged over its labels, so that
    two templates can differ by one label.
    """

    CONFIG_SCHEMA = {
        "type": "object",
        "$schema": consts.JSON_SCHEMA7,
        "properties": {
            "templates": {
                "type": "array",
                "items": _TEMPLATE,
                "minItems": 1,
            },
        },
        "required": ["templates"],
        "additionalProperties": False,
    }

    def setup(self) -> None:
        """Create each template in each tenant.

        :raises TemplateCreateFailed: when Magnum refuses a template; names
            the key
        :raises TemplateNotFound: when the template to copy does not exist
        """
        given = self.config["templates"]
        wanted = [*map(templates.TemplateRequest.from_json, given)]
        for user, tenant_id in self._iterate_per_tenants():
            made = self.context["tenants"][tenant_id]["bay_templates"] = {}
            opened = self._open(user, wanted)
            sources = [opened.source(each) for each in wanted]
            for each, source in zip(wanted, sources, strict=True):
                interruption.check()
                template = self._make(opened, each, source)
                made[each.name] = template.uuid
                _require_driver(each, template)

    def cleanup(self) -> None:
        for user, tenant_id in self._iterate_per_tenants():
            tenant = self.context["tenants"][tenant_id]
            magnum = clients.magnum_of(user["credential"].clients())
            for uuid in tenant.pop("bay_templates", {}).values():
                cleanup.release(uuid)
                try:
                    templates.Templates(magnum).delete(uuid)
                except exceptions.BayError as error:
                    LOG.error(str(error))
        cleanup.sweep("cluster_templates", self)

    def _open(
        self,
        user: Mapping[str, Any],
        wanted: Sequence[templates.TemplateRequest],
    ) -> templates.Templates:
        """Open a tenant's templates; check the keypairs that they name."""
        own = user["credential"].clients()
        for each in wanted:
            if keypair := each.fields.get("keypair"):
                templates.require_keypair(*clients.session_of(own), keypair)
        return templates.Templates(clients.magnum_of(own))

    def _make(
        self,
        opened: templates.Templates,
        wanted: templates.TemplateRequest,
        source: Any,
    ) -> Any:
        made = opened.create(wanted, self.generate_random_name(), source)
        cleanup.hold(made.uuid)
        LOG.info(
            f"Created the cluster template {wanted.name!r}: {made.name} "
            f"({made.uuid})."
        )
        return made


def _require_driver(wanted: templates.TemplateRequest, made: Any) -> None:
    """Raise if Magnum chose another driver.

    Magnum 22 takes it from the image, whatever the request.
    """
    driver, chosen = wanted.fields.get("driver"), getattr(made, "driver", None)
    if driver and driver != chosen:
        raise exceptions.TemplateCreateFailed(
            f"Magnum ignored the driver {driver!r} of the template "
            f"{wanted.name!r} and chose {chosen or 'another'!r}; set the "
            "property magnum_driver of the image, or remove the key 'driver'."
        )


def choose(tenant: Mapping[str, Any], wanted: str | None) -> str | None:
    """Return the cluster template for a ``bay_template`` of the task.

    :param tenant: a tenant of Rally's context
    :param wanted: name of a template of this context, name or id of an
        existing template, or None
    :returns: name or id in Magnum; None for the only template that Magnum
        shows
    :raises TemplateNotFound: when ``wanted`` is None and this context has
        several templates
    """
    made: dict[str, str] = tenant.get("bay_templates") or {}
    if wanted is not None:
        return made.get(wanted, wanted)
    if len(made) > 1:
        raise exceptions.TemplateNotFound(
            f"The context bay_templates creates {len(made)} templates, but "
            "bay_template is not set. Set it to one of: "
            f"{', '.join(made)}."
        )
    return next(iter(made.values()), None)


def _well_formed(given: Any) -> Iterator[dict[str, Any]]:
    """Return the templates that have a name; the schema reports others."""
    for template in dict(given or {}).get("templates") or ():
        if isinstance(template, dict) and "name" in template:
            yield template

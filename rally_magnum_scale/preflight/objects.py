"""Check the templates, drivers, flavors and networks that a task names."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from rally_magnum_scale import exceptions
from rally_magnum_scale.bays import drivers
from rally_magnum_scale.bays import reading
from rally_magnum_scale.bays import selection
from rally_magnum_scale.preflight import have
from rally_magnum_scale.preflight import needs
from rally_magnum_scale.preflight import plan as plans
from rally_magnum_scale.preflight.rows import ENOUGH
from rally_magnum_scale.preflight.rows import SHORT
from rally_magnum_scale.preflight.rows import UNKNOWN
from rally_magnum_scale.preflight.rows import Row
from rally_magnum_scale.preflight.rows import unknown

# The driver whose images need the property kube_version, and the os_distro
# that only its images have.
_CAPI_HELM = "capi_helm"
_CAPI_HELM_DISTRO = "capi-kubeadm-cloudinit"

# Key of a template in the context bay_templates.
_VOLUME_KEY = "docker_volume_size"

_CHANGES = {
    drivers.REPLACE_NODES: "no such driver can replace named nodes; use "
    "resize_bay, or a template of another driver",
    drivers.DOCKER_VOLUMES: "remove docker_volume_size from the task's "
    "template, or use a template of another driver",
}


def resolve(
    workload: plans.WorkloadPlan, project: have.Project
) -> tuple[list[needs.Bay], list[Row]]:
    """Find the templates of a workload's bays.

    :returns: the bays, and a row for each template, its image and its driver
    """
    bays, rows = [], []
    for plan in workload.bays:
        template, row = _template(workload, project, plan)
        image, more = _image(template, project)
        driver, shown = _driver(template, image)
        volume_requested = any(
            one.name == template.get("name") and _VOLUME_KEY in one.fields
            for one in workload.templates
        )
        bays.append(needs.Bay(plan, template, driver, volume_requested))
        rows += [row, *more, *shown]
    return bays, rows


def check(bay: needs.Bay, project: have.Project) -> Iterator[Row]:
    """Check what a bay refers to by name."""
    yield _flavor("flavor of the nodes", bay.flavor, project)
    yield _flavor("flavor of the masters", bay.master_flavor, project)
    if bay.keypair:
        yield _keypair(bay.keypair, project)
    if external := bay.template.get("external_network_id"):
        yield _check_object(
            "external network",
            external,
            lambda: project.find("network", "network", external),
            lambda it: "" if it.is_router_external else "is not external",
            "name an external network in the template",
        )
    if network := bay.network:
        yield _check_object(
            "network",
            network,
            lambda: project.find("network", "network", network),
            lambda it: _hidden_from_new_project(project, shown=it.is_shared),
            "name a shared network, or none, so that Magnum creates one",
        )
    if subnet := bay.subnet:
        yield _check_object(
            "subnet",
            subnet,
            lambda: project.find("network", "subnet", subnet),
            lambda _: "",
            "name a subnet of the network",
        )


def check_driver(bay: needs.Bay) -> Iterator[Row]:
    """Check that Magnum's driver can do what the task asks for."""
    capabilities = [*bay.plan.capabilities]
    if bay.docker_volume_gb:
        capabilities.append(drivers.DOCKER_VOLUMES)
    for capability in capabilities:
        yield _capability(bay, capability)


def _capability(bay: needs.Bay, capability: str) -> Row:
    what, need = f"driver: {capability}", "supported"
    if not bay.driver:
        reason = "Magnum does not show the driver"
        return unknown(what, need, reason)
    lacking = drivers.lacking(bay.driver)
    if lacking is None:
        reason = f"what the driver {bay.driver} supports is not known here"
        return unknown(what, need, reason)
    if capability not in lacking:
        return Row(what, need, bay.driver, ENOUGH)
    found = f"{bay.driver} {lacking[capability]}"
    if capability == drivers.DOCKER_VOLUMES and not bay.volume_requested:
        reason = "the bay can be created, but its nodes have no such volume"
        return Row(what, need, found, UNKNOWN, reason)
    return Row(what, need, found, SHORT, _CHANGES[capability])


def _template(
    workload: plans.WorkloadPlan, project: have.Project, plan: plans.BayPlan
) -> tuple[Mapping[str, Any], Row]:
    what, wanted = "cluster template", plan.request.template
    need = wanted or "the only one"
    try:
        fields = _fields(workload, project, wanted)
    except reading.Unreadable as error:
        return {}, unknown(what, need, error)
    except exceptions.TemplateNotFound as error:
        return {}, Row(what, need, "none", SHORT, str(error).rstrip("."))
    return fields, Row(what, need, str(fields["name"]), ENOUGH)


def _fields(
    workload: plans.WorkloadPlan, project: have.Project, wanted: str | None
) -> Mapping[str, Any]:
    """Return the template's fields by Magnum's names."""
    made = {each.name: each for each in workload.templates}
    if wanted is None and len(made) == 1:
        (wanted,) = made
    if request := made.get(wanted or ""):
        source = None
        if request.copied:
            source = selection.choose_template(
                project.templates(), request.source, key="from"
            )
        fields: Mapping[str, Any] = request.arguments(request.name, source)
        return fields
    if wanted is None and made:
        raise exceptions.TemplateNotFound(
            f"set bay_template to one of: {', '.join(made)}"
        )
    chosen = selection.choose_template(project.templates(), wanted)
    shown: Mapping[str, Any] = chosen.to_dict()
    return shown


def _image(
    template: Mapping[str, Any], project: have.Project
) -> tuple[Any | None, list[Row]]:
    what, name = "image", template.get("image_id")
    if not name:
        return None, []
    try:
        image = project.find("image", "image", name)
    except reading.Unreadable as error:
        return None, [unknown(what, name, error)]
    if image is None:
        return None, [Row(what, name, "none", SHORT, _NAME_ANOTHER)]
    if project.new and image.visibility in ("private", "shared"):
        change = "openstack image set --public, as Rally creates the project"
        return image, [Row(what, name, image.visibility, SHORT, change)]
    rows = [_property_row(image, "os_distro", name)]
    if (
        _CAPI_HELM in _driver_of(template, image)
        or _property_of(image, "os_distro") == _CAPI_HELM_DISTRO
    ):
        rows.append(_property_row(image, "kube_version", name))
    return image, rows


def _property_row(image: Any, key: str, name: str) -> Row:
    what = f"{key} of the image"
    if found := _property_of(image, key):
        return Row(what, name, found, ENOUGH)
    change = f"openstack image set --property {key}=…, which Magnum needs"
    return Row(what, name, "none", SHORT, change)


def _driver(
    template: Mapping[str, Any], image: Any | None
) -> tuple[str, list[Row]]:
    """Return the driver, or an empty string, and the row of the driver."""
    what, need = "Magnum's driver", "known"
    if driver := _driver_of(template, image):
        return driver, [Row(what, need, driver, ENOUGH)]
    distro = _property_of(image, "os_distro")
    if not distro:
        return "", []
    if distro == needs.HEAT_DISTRO:
        shown = Row(what, need, f"the one of {distro}", ENOUGH)
        return drivers.HEAT, [shown]
    change = "Magnum does not show it, and several take this os_distro"
    return "", [unknown(what, need, change)]


def _driver_of(template: Mapping[str, Any], image: Any | None) -> str:
    return template.get("driver") or _property_of(image, "magnum_driver")


def _property_of(image: Any | None, key: str) -> str:
    """Return a property of an image; empty if it has none."""
    if image is None:
        return ""
    known = getattr(image, key, None) or (image.properties or {}).get(key)
    return str(known or "")


def _flavor(what: str, name: str | None, project: have.Project) -> Row:
    if name is None:
        change = "neither the task nor the template names one"
        return unknown(what, "?", change)
    return _check_object(
        what,
        name,
        lambda: project.find("compute", "flavor", name),
        lambda it: _hidden_from_new_project(project, shown=it.is_public),
        "name another one; see `openstack flavor list`",
        lambda it: f"{it.vcpus} cores, {it.ram} MiB",
    )


def _keypair(name: str, project: have.Project) -> Row:
    if project.new:
        change = (
            "a keypair belongs to a user, and Rally creates new users; give "
            "Rally existing users, or name no keypair"
        )
        return unknown("keypair", name, change)
    return _check_object(
        "keypair",
        name,
        lambda: project.find("compute", "keypair", name),
        lambda _: "",
        "name one of `openstack keypair list`",
    )


_NAME_ANOTHER = "name an existing one in the template"


def _hidden_from_new_project(project: have.Project, *, shown: bool) -> str:
    """Return why a new project can't use something; empty if it can."""
    return "" if shown or not project.new else "belongs to another project"


def _check_object(
    what: str,
    name: str,
    find: Callable[[], Any | None],
    objection: Callable[[Any], str],
    change: str,
    describe: Callable[[Any], str] = lambda it: str(it.name),
) -> Row:
    try:
        found = find()
    except reading.Unreadable as error:
        return unknown(what, name, error)
    if found is None:
        return Row(what, name, "none", SHORT, change)
    if reason := objection(found):
        return Row(what, name, reason, SHORT, change)
    return Row(what, name, describe(found), ENOUGH)

"""Make Rally's description of a cloud.

Rally can describe less than openstacksdk.  So what changes how the cloud is
accessed is in Rally's description, or it is refused.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
from collections.abc import Mapping
from typing import Any

from openstack.config import defaults

from rally_magnum_scale import commands
from rally_magnum_scale import exceptions
from rally_magnum_scale.nightly import cloud_descriptions

_NEEDED = ("auth_url", "username", "password", "project_name")
_OTHER_LOGINS = (
    "application_credential_id",
    "application_credential_name",
    "application_credential_secret",
    "domain_id",
    "domain_name",
    "system_scope",
    "trust_id",
)
_KEYSTONE_3 = "Magnum needs Keystone's API v3."
_OF_A_SERVICE = re.compile(
    r"(\w+_)?(endpoint|endpoint_override|service_name|service_type)"
    r"|\w+_(?P<common>interface|region_name)"
)
_READ = frozenset(
    {
        *_NEEDED,
        *(
            f"{of}_domain_{by}"
            for of in ("user", "project", "default")
            for by in ("id", "name")
        ),
        "insecure",
        "region_name",
        *defaults.get_defaults(),
    }
)
# These don't change which cloud is used, nor how.
_HARMLESS = re.compile(
    r"auth|auth_protocol|auth_version|client_(config|secure)_file|cloud_?name"
    r"|networks|no_cache|profile|timeout|has_\w+|\w+__\w+"
    r"|\w+_(api_version|default_microversion)"
)


def make(
    cloud: cloud_descriptions.CloudDescription, log: commands.Log
) -> dict[str, Any]:
    """Return Rally's description of a cloud, and log what it ignores.

    :raises InvalidInput: when Rally can't access the cloud in this way
    """
    _check_aliases(cloud)
    _check_login(cloud)
    _check_services(cloud)
    url, *user = _NEEDED
    admin = {name: cloud.text(name) for name in user} | {
        f"{of}_domain_name": _domain(cloud, of) for of in ("user", "project")
    }
    spec = {
        "auth_url": cloud.text(url),
        "admin": admin,
        "endpoint_type": _interface(cloud),
        **_tls(cloud),
        **cloud.profiler,
    }
    if "region_name" in cloud.values:
        spec["region_name"] = cloud.text("region_name")
    for name in sorted(cloud.values.keys() - _READ):
        if not (_HARMLESS.fullmatch(name) or _OF_A_SERVICE.fullmatch(name)):
            log(f"{cloud.where} has {cloud.key(name)}, which is ignored.")
    return {"existing@openstack": spec}


def _check_aliases(cloud: cloud_descriptions.CloudDescription) -> None:
    """Refuse two values of one setting."""
    for name, alias in cloud_descriptions.ALIASES.items():
        first, second = (_plain(cloud.written, one) for one in (name, alias))
        if first and second and first != second:
            raise cloud.refused(
                name, f"{cloud.key(alias)} has another value. Remove one."
            )


def _check_login(cloud: cloud_descriptions.CloudDescription) -> None:
    """Refuse what is no login to a project with a password."""
    values = cloud.values
    # openstacksdk ignores the alias, because it has a default.
    how = cloud.written.get("auth_plugin") or values.get("auth_type", "none")
    if how not in ("password", "v3password"):
        raise cloud.refused(
            "auth_type",
            f"Rally can't log in by {how}. Give the type `password`, with a "
            "username and a password.",
        )
    for name in _OTHER_LOGINS:
        if name in values:
            raise cloud.refused(
                name,
                "Rally can only log in to a project by a password. Give "
                f"{', '.join(map(cloud.key, _NEEDED))} instead.",
            )
    if missing := [one for one in _NEEDED if one not in values]:
        raise exceptions.InvalidInput(
            f"{cloud.where} has no {', '.join(map(cloud.key, missing))}. "
            "Rally's administrator needs it; an id does not replace a name."
        )
    if "v2.0" in str(values["auth_url"]):
        raise cloud.refused("auth_url", _KEYSTONE_3)
    if str(values.get("identity_api_version", 3)).startswith("2"):
        raise cloud.refused("identity_api_version", _KEYSTONE_3)


def _check_services(cloud: cloud_descriptions.CloudDescription) -> None:
    """Refuse settings of single services, unless they change nothing."""
    for name in cloud.values:
        found = _OF_A_SERVICE.fullmatch(name)
        if found is None:
            continue
        common = found["common"]
        if common and _plain(cloud.values, name) == _plain(
            cloud.values, common
        ):
            continue
        raise cloud.refused(
            name,
            "Rally uses the same interface and region for all services, and "
            "the endpoints of Keystone's catalog. Remove it.",
        )


def _plain(settings: Mapping[str, Any], name: str) -> str:
    """Return a setting, an interface without its former ending."""
    return str(settings.get(name) or "").removesuffix("URL")


def _interface(cloud: cloud_descriptions.CloudDescription) -> str:
    interface = _plain({"interface": "public", **cloud.values}, "interface")
    if interface not in ("public", "internal", "admin"):
        raise cloud.refused(
            "interface", f"Give public, internal or admin, not {interface}."
        )
    return interface


def _domain(cloud: cloud_descriptions.CloudDescription, of: str) -> str:
    """Return the name of the domain of the user or the project."""
    for kind in (of, "default"):
        by_id, by_name = f"{kind}_domain_id", f"{kind}_domain_name"
        identity = cloud.values.get(by_id)
        if identity == "default":
            # Keystone is set up with this id for the domain Default.
            break
        if identity:
            raise cloud.refused(
                by_id,
                "Rally takes a domain only by its name. Give the name "
                "instead of the id.",
            )
        if by_name in cloud.values:
            return cloud.text(by_name)
    return "Default"


def _tls(cloud: cloud_descriptions.CloudDescription) -> dict[str, Any]:
    """Return what Rally needs for TLS."""
    values = cloud.values
    verify = values.get("verify", True)
    if not isinstance(verify, bool):
        raise cloud.refused(
            "verify",
            f"Give {cloud.key('insecure')} or {cloud.key('cacert')} instead.",
        )
    insecure = values.get("insecure") or not verify
    if insecure and "cacert" in values:
        raise cloud.refused(
            "cacert",
            "Certificates are not verified, so it has no use. Remove it, or "
            "verify certificates.",
        )
    if "key" in values and "cert" not in values:
        raise cloud.refused("key", f"Give {cloud.key('cert')}, too.")
    files = {
        f"https_{name}": _file(cloud, name)
        for name in ("cacert", "cert", "key")
        if name in values
    }
    return files | ({"https_insecure": True} if insecure else {})


def _file(cloud: cloud_descriptions.CloudDescription, name: str) -> str:
    path = pathlib.Path(cloud.text(name))
    # A user that does not exist has no home.
    with contextlib.suppress(RuntimeError):
        path = path.expanduser()
    path = path.absolute()
    if not os.access(path, os.R_OK):
        raise cloud.refused(name, f"{path} does not exist or can't be read.")
    return str(path)

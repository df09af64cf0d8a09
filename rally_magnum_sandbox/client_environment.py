"""Variables, openrc and Rally's database for clients of the sandbox."""

from __future__ import annotations

import json
import os
import pathlib
import shlex
import shutil
from collections.abc import Mapping

from rally_magnum_sandbox import openstack
from rally_magnum_sandbox import secrets_file
from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_scale import commands

RALLY_ENVIRONMENT = "sandbox"


def openstack_variables(
    settings: sandbox_settings.Settings, secrets: secrets_file.Secrets
) -> dict[str, str]:
    """Return the administrator's variables, as in an openrc file."""
    return {
        "OS_AUTH_URL": settings.keystone_url,
        "OS_USERNAME": "admin",
        "OS_PASSWORD": secrets.admin,
        "OS_PROJECT_NAME": "admin",
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_PROJECT_DOMAIN_NAME": "Default",
        "OS_REGION_NAME": openstack.REGION,
        "OS_IDENTITY_API_VERSION": "3",
        "OS_INTERFACE": "public",
        "OS_ENDPOINT_TYPE": "publicURL",
    }


def variables(
    settings: sandbox_settings.Settings,
    secrets: secrets_file.Secrets,
    environ: Mapping[str, str] = os.environ,
) -> dict[str, str]:
    """Return the complete environment of a client.

    ``HOME`` is a folder of the sandbox. Rally stores the last used environment
    in ``~/.rally/globals``, which takes precedence over its variables. With
    the user's own home, Rally would use the user's environment, and later
    point to a sandbox that no longer exists.
    """
    exempt = [environ.get("NO_PROXY") or environ.get("no_proxy") or ""]
    no_proxy = ",".join([*filter(None, exempt), sandbox_settings.NO_PROXY])
    search = environ.get("PATH", os.defpath)
    # Leave out the caller's own cloud.
    kept = {k: v for k, v in environ.items() if not k.startswith("OS_")}
    return (
        kept
        | openstack_variables(settings, secrets)
        | {
            "HOME": str(settings.home_dir),
            "OS_CLIENT_CONFIG_FILE": str(settings.state_dir / "clouds.yaml"),
            "OS_DATABASE__CONNECTION": settings.rally_database,
            "RALLY_ENV": RALLY_ENVIRONMENT,
            "NO_PROXY": no_proxy,
            "no_proxy": no_proxy,
            "PATH": f"{commands.PROGRAMS}{os.pathsep}{search}",
        }
        | sandbox_settings.variables(settings)
    )


def write_files(
    settings: sandbox_settings.Settings, secrets: secrets_file.Secrets
) -> None:
    """Write ``openrc`` and ``clouds.yaml`` into the state folder."""
    own = openstack_variables(settings, secrets)
    own["NO_PROXY"] = own["no_proxy"] = sandbox_settings.NO_PROXY
    lines = [f"export {k}={shlex.quote(v)}\n" for k, v in own.items()]
    _write(settings.state_dir / "openrc", "".join(lines))
    cloud = {
        "auth": {
            "auth_url": settings.keystone_url,
            "username": "admin",
            "password": secrets.admin,
            "project_name": "admin",
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        },
        "region_name": openstack.REGION,
    }
    # JSON is YAML.
    content = json.dumps({"clouds": {"sandbox": cloud}}, indent=2)
    _write(settings.state_dir / "clouds.yaml", content + "\n")


def ensure_rally(
    settings: sandbox_settings.Settings, secrets: secrets_file.Secrets
) -> None:
    """Create Rally's database and its environment for this cloud.

    :raises SandboxError: if Rally fails
    """
    settings.home_dir.mkdir(mode=0o700, exist_ok=True)
    rally = settings.state_dir / "rally"
    done = rally / "complete"
    if done.exists():
        return
    # An incomplete database has no task, but may already use the name.
    shutil.rmtree(rally, ignore_errors=True)
    rally.mkdir(mode=0o700)
    _rally(settings, secrets, "db", "ensure")
    spec = rally / "spec.json"
    _write(spec, json.dumps(_rally_spec(settings, secrets)))
    create = ["env", "create", "--name", RALLY_ENVIRONMENT]
    _rally(settings, secrets, *create, "--spec", str(spec))
    done.touch()


def _rally_spec(
    settings: sandbox_settings.Settings, secrets: secrets_file.Secrets
) -> dict[str, object]:
    admin = {
        "username": "admin",
        "password": secrets.admin,
        "project_name": "admin",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
    cloud = {
        "auth_url": settings.keystone_url,
        "region_name": openstack.REGION,
        "endpoint_type": "public",
        "admin": admin,
    }
    return {"existing@openstack": cloud}


def _rally(
    settings: sandbox_settings.Settings,
    secrets: secrets_file.Secrets,
    *arguments: str,
) -> None:
    environment = variables(settings, secrets)
    del environment["RALLY_ENV"]
    commands.run_rally(arguments, environment, settings.logs_dir / "rally.log")


def _write(path: pathlib.Path, content: str) -> None:
    path.touch(mode=0o600)
    path.write_text(content)

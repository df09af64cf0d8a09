"""The sandbox's servers, started in the order of their dependencies."""

from __future__ import annotations

import json
import os
import pathlib
import urllib.error
import urllib.request

import jinja2
from keystoneauth1 import exceptions as keystone_errors

from rally_magnum_sandbox import database
from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox import openstack
from rally_magnum_sandbox import processes
from rally_magnum_sandbox import secrets_file
from rally_magnum_sandbox import servers_environment
from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_sandbox.cluster_api import management
from rally_magnum_scale import commands
from rally_magnum_scale import waiting

MODULES = "rally_magnum_sandbox.servers"


def ensure(
    settings: sandbox_settings.Settings,
    secrets: secrets_file.Secrets,
    servers: servers_environment.ServersEnvironment,
    log: commands.Log,
    capi_helm: sandbox_settings.CapiHelm | None = None,
) -> None:
    """Start missing servers and create the objects in Keystone and Magnum.

    A server whose configuration changed is restarted.

    :param settings: of the sandbox
    :param secrets: of the sandbox
    :param servers: their programs
    :param log: gets progress lines
    :param capi_helm: enables Magnum's driver ``k8s_capi_helm_v1``, which
        Magnum 22 does not have
    :raises SandboxError: if a server does not start
    """
    servers_environment.write_plugin(settings.plugins_dir)
    for name in write_configuration(settings, secrets, servers, capi_helm):
        processes.end(settings, name)
    if database.ensure(settings, servers.postgres_bin, secrets.postgres):
        # These servers would keep using connections to the old PostgreSQL.
        for name in ("keystone", "magnum"):
            processes.end(settings, name)
    log("PostgreSQL is up")
    wanted = [
        _stub(settings, servers),
        magnum_server(settings, servers, capi_helm),
        _keystone(settings, secrets, servers),
    ]
    for server in wanted:
        processes.ensure_started(server, settings)
    for server in wanted:
        processes.wait_until_up(server, settings)
    log("Keystone, Magnum and the stub are up")
    templates = [openstack.OWN_TEMPLATE]
    if capi_helm:
        templates.append(openstack.CAPI_HELM_TEMPLATE)
    _ensure_objects(settings, secrets, templates)
    log("Keystone's services and Magnum's cluster templates are ready")


def _ensure_objects(
    settings: sandbox_settings.Settings,
    secrets: secrets_file.Secrets,
    templates: list[openstack.Template],
) -> None:
    names = "-".join(["objects", *(template.name for template in templates)])
    done = settings.state_dir / "run" / names
    if done.exists():
        return
    try:
        openstack.ensure_identities(settings, secrets)
        openstack.ensure_templates(settings, secrets, templates)
    except keystone_errors.ClientException as error:
        raise exceptions.SandboxError(
            "Keystone or Magnum refused a request of the sandbox's setup: "
            f"{error}. See their logs in {settings.logs_dir}."
        ) from error
    done.touch()


def healthy(settings: sandbox_settings.Settings) -> bool:
    """Tell whether every server runs and answers."""
    alive = all(processes.find(settings, name) for name in ports(settings))
    return (
        alive
        and (not management.is_wanted(settings) or management.ready(settings))
        and answers(settings.keystone_url)
        and answers(settings.magnum_url.removesuffix("/v1") + "/")
        and answers(f"{settings.stub_url}/compute")
        and processes.listening(settings.postgres_port)
    )


def ports(settings: sandbox_settings.Settings) -> dict[str, int]:
    """Return the port of each server of the sandbox."""
    found = {
        "postgres": settings.postgres_port,
        "keystone": settings.keystone_port,
        "magnum": settings.magnum_port,
        "stub": settings.stub_port,
    }
    if management.is_wanted(settings):
        found |= management.ports(settings)
    return found


def answers(url: str) -> bool:
    """Tell whether a GET gets a response with a status below 500."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=10):
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False


def wait_until_healthy(settings: sandbox_settings.Settings) -> None:
    """Wait until all servers respond.

    :raises DeadlineExceeded: after 60 s
    """
    waiting.wait_for(
        lambda: healthy(settings) or None,
        what="the sandbox's servers to respond",
        deadline_s=60,
        interval_s=0.1,
    )


def write_configuration(
    settings: sandbox_settings.Settings,
    secrets: secrets_file.Secrets,
    servers: servers_environment.ServersEnvironment,
    capi_helm: sandbox_settings.CapiHelm | None = None,
) -> list[str]:
    """Write keystone.conf and magnum.conf.

    :returns: the names of the servers whose configuration changed
    """
    changed = []
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader(MODULES, ""),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - configuration, not HTML
    )
    for name in ("keystone", "magnum"):
        folder = settings.state_dir / name
        folder.mkdir(mode=0o700, exist_ok=True)
        target = folder / f"{name}.conf"
        target.touch(mode=0o600)
        content = templates.get_template(f"{name}.conf.j2").render(
            folder=folder,
            database=database.url(settings, secrets.postgres),
            keystone_url=settings.keystone_url,
            magnum_port=settings.magnum_port,
            magnum_password=secrets.magnum,
            trustee_password=secrets.trustee,
            servers_prefix=servers.prefix,
            own_driver=sandbox_settings.OWN_DRIVER,
            capi_helm_driver=sandbox_settings.CAPI_HELM_DRIVER,
            capi_helm=capi_helm,
            api_resources=_api_resources(),
        )
        if content != target.read_text():
            target.write_text(content)
            changed.append(name)
    return changed


def _api_resources() -> str:
    """Return the kinds of our provider, as magnum-capi-helm reads them."""
    version = {"api_version": sandbox_settings.CLUSTER_API_GROUP_VERSION}
    plural = {"plural_name": sandbox_settings.CONTROL_PLANES_PLURAL}
    kinds = {"K8sControlPlane": version | plural, "OpenstackCluster": version}
    return json.dumps(kinds)


def _keystone(
    settings: sandbox_settings.Settings,
    secrets: secrets_file.Secrets,
    servers: servers_environment.ServersEnvironment,
) -> processes.Server:
    server = _module_server(
        settings,
        servers,
        "keystone",
        settings.keystone_port,
        str(_configuration(settings, "keystone")),
    )
    secret = {"SANDBOX_ADMIN_PASSWORD": secrets.admin}
    return processes.with_environment(server, secret)


def magnum_server(
    settings: sandbox_settings.Settings,
    servers: servers_environment.ServersEnvironment,
    capi_helm: sandbox_settings.CapiHelm | None = None,
) -> processes.Server:
    """Return how Magnum is started.

    Its environment has no ``REQUESTS_CA_BUNDLE`` and no ``CURL_CA_BUNDLE``,
    which would replace the management cluster's CA in magnum-capi-helm.
    """
    server = _module_server(
        settings,
        servers,
        "magnum",
        settings.magnum_port,
        str(_configuration(settings, "magnum")),
    )
    if capi_helm is None:
        return server
    search = f"{capi_helm.helm_folder}{os.pathsep}{server.env['PATH']}"
    return processes.with_environment(server, {"PATH": search})


def _stub(
    settings: sandbox_settings.Settings,
    servers: servers_environment.ServersEnvironment,
) -> processes.Server:
    folder = str(settings.bays_dir)
    return _module_server(
        settings, servers, "stub", settings.stub_port, folder
    )


def _configuration(
    settings: sandbox_settings.Settings, name: str
) -> pathlib.Path:
    return settings.state_dir / name / f"{name}.conf"


def _module_server(
    settings: sandbox_settings.Settings,
    servers: servers_environment.ServersEnvironment,
    name: str,
    port: int,
    *arguments: str,
) -> processes.Server:
    module = name if name == "stub" else f"{name}_server"
    start = [servers.python, "-W", "ignore", "-m", f"{MODULES}.{module}"]
    return processes.Server(
        name,
        port,
        (*start, *arguments, str(port)),
        _environment(settings),
    )


def _environment(settings: sandbox_settings.Settings) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(settings.home_dir),
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": str(settings.plugins_dir),
        "PYTHONDONTWRITEBYTECODE": "1",
        "NO_PROXY": sandbox_settings.NO_PROXY,
        "no_proxy": sandbox_settings.NO_PROXY,
        **sandbox_settings.variables(settings),
    }


def require_up(settings: sandbox_settings.Settings) -> None:
    """Check that ``up`` has completed.

    :raises SandboxError: if ``up`` was not run or did not complete
    """
    if not settings.ready_file.exists():
        raise exceptions.SandboxError(
            f"There is no sandbox in {settings.state_dir}; run "
            "`rally-magnum-sandbox up` first."
        )

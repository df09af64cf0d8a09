"""The management cluster and Cluster API's controllers, as servers."""

from __future__ import annotations

import base64
import concurrent.futures
import os
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rally_magnum_sandbox import artifacts
from rally_magnum_sandbox import processes
from rally_magnum_sandbox import servers_environment
from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_sandbox.bay import api
from rally_magnum_sandbox.bay import certificates
from rally_magnum_sandbox.bay import control_plane
from rally_magnum_sandbox.bay import creation
from rally_magnum_sandbox.cluster_api import management_objects
from rally_magnum_sandbox.cluster_api import manifests
from rally_magnum_scale import commands
from rally_magnum_scale import waiting

ETCD = "capi-etcd"
API_SERVER = "capi-apiserver"
CONTROLLERS = "capi-controllers"
CORE = "capi-core"
PROVIDER = "capi-provider"
CHART = Path(__file__).with_name("chart")
READY_DEADLINE_S = 180.0
POLL_S = 0.05
# The garbage collector removes what belongs to a removed object. The
# namespace controller removes namespaces.
CONTROLLER_NAMES = "garbage-collector-controller,namespace-controller"
CERTIFICATES = (
    certificates.Identity(
        "apiserver",
        "kube-apiserver",
        names=(sandbox_settings.HOST, "localhost", "kubernetes"),
    ),
    certificates.Identity(
        "webhooks/tls", "webhooks", names=(sandbox_settings.HOST,)
    ),
    certificates.Identity("admin", "admin", certificates.MASTERS),
    certificates.Identity("maker", "sandbox", certificates.MASTERS),
)
AT_ONCE = 8


@dataclass(frozen=True)
class Programs:
    """What the servers run.

    :param kubernetes: the program whose first argument is a component
    :param core: the folder with Cluster API's core and its manifests
    :param python: of the servers' virtual environment
    """

    kubernetes: Path
    core: Path
    python: str


def ensure(
    settings: sandbox_settings.Settings,
    programs: Programs,
    log: commands.Log,
) -> None:
    """Start the management cluster, core and the provider if they don't run.

    :param settings: of the sandbox
    :param programs: to run
    :param log: gets progress lines
    :raises SandboxError: if a server does not start
    """
    _write_certificates(settings)
    etcd, api_server, controllers, core, provider = _servers(
        settings, programs
    )
    processes.ensure(etcd, settings)
    processes.ensure(api_server, settings)
    client = management_objects.open_client(settings)
    log_file = settings.logs_dir / f"{API_SERVER}.log"
    creation.wait_for_api(client, "/readyz", log_file, lambda: None)
    processes.ensure_started(controllers, settings)
    installed = settings.cluster_api_dir / "installed"
    webhooks = _webhooks(settings)
    if not installed.exists():
        _install_crds(client, programs.core, webhooks)
    processes.ensure(core, settings)
    _wait_for(settings.core_health_port)
    if not installed.exists():
        # Until core is ready, these would refuse every request.
        _install_webhooks(client, programs.core, webhooks)
        installed.touch()
    servers_environment.write_plugin(settings.plugins_dir)
    processes.ensure(provider, settings)
    _wait_for(settings.provider_port)
    processes.wait_until_up(controllers, settings)
    client.close()
    log("the management cluster, Cluster API and its provider are up")


def ports(settings: sandbox_settings.Settings) -> dict[str, int]:
    """Return the port of each server that :func:`ensure` starts."""
    return {
        ETCD: settings.management_etcd_port,
        API_SERVER: settings.management_port,
        CONTROLLERS: settings.management_controllers_port,
        CORE: settings.core_port,
        PROVIDER: settings.provider_port,
    }


def api_address(settings: sandbox_settings.Settings) -> str:
    return f"https://{sandbox_settings.HOST}:{settings.management_port}"


def _write_certificates(settings: sandbox_settings.Settings) -> None:
    folder = settings.cluster_api_dir
    done = folder / "maker.kubeconfig"
    if done.exists():
        return
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "webhooks").mkdir(exist_ok=True)
    certificates.create_authority(folder)
    certificates.write_service_account(folder)
    authority = certificates.Authority(folder)
    for identity in CERTIFICATES:
        certificates.write_identity(authority, identity, api_address(settings))


def _servers(
    settings: sandbox_settings.Settings, programs: Programs
) -> list[processes.Server]:
    """Return the servers in the order of their dependencies."""
    binary = str(programs.kubernetes)
    provider = "rally_magnum_sandbox.cluster_api.provider"
    commands = {
        ETCD: (binary, "etcd", *_flags(_etcd(settings))),
        API_SERVER: (binary, "kube-apiserver", *_flags(_api(settings))),
        CONTROLLERS: (
            *(binary, "kube-controller-manager"),
            *_flags(_controllers(settings)),
        ),
        CORE: (str(programs.core / "core"), *_flags(_core(settings))),
        PROVIDER: (
            *(programs.python, "-W", "ignore", "-m", provider),
            str(settings.provider_port),
        ),
    }
    return [
        processes.Server(
            name, ports(settings)[name], command, _environment(settings)
        )
        for name, command in commands.items()
    ]


def _etcd(settings: sandbox_settings.Settings) -> dict[str, str]:
    # Nobody connects to the peer of a single member: any port will do.
    peer = f"http://{sandbox_settings.HOST}:0"
    return {
        **control_plane.ETCD_OPTIONS,
        "data-dir": str(settings.cluster_api_dir / "etcd"),
        "listen-client-urls": _etcd_url(settings),
        "advertise-client-urls": _etcd_url(settings),
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"{control_plane.ETCD_OPTIONS['name']}={peer}",
    }


def _etcd_url(settings: sandbox_settings.Settings) -> str:
    return f"http://{sandbox_settings.HOST}:{settings.management_etcd_port}"


def _api(settings: sandbox_settings.Settings) -> dict[str, str]:
    folder = settings.cluster_api_dir
    return {
        "etcd-servers": _etcd_url(settings),
        "bind-address": sandbox_settings.HOST,
        "secure-port": str(settings.management_port),
        "client-ca-file": str(folder / "ca.crt"),
        "tls-cert-file": str(folder / "apiserver.crt"),
        "tls-private-key-file": str(folder / "apiserver.key"),
        "service-account-key-file": str(folder / "service-account.pub"),
        "service-account-signing-key-file": str(
            folder / "service-account.key"
        ),
        "service-account-issuer": "https://kubernetes.default.svc",
        # Nothing runs here, so Services have no addresses on any network.
        "service-cluster-ip-range": "10.96.0.0/24",
        "authorization-mode": "RBAC",
        "endpoint-reconciler-type": "none",
    }


def _controllers(settings: sandbox_settings.Settings) -> dict[str, str]:
    folder = settings.cluster_api_dir
    return {
        "kubeconfig": str(folder / "admin.kubeconfig"),
        "controllers": CONTROLLER_NAMES,
        "leader-elect": "false",
        "bind-address": sandbox_settings.HOST,
        "secure-port": str(settings.management_controllers_port),
        **control_plane.CLIENT_RATES,
    }


def _core(settings: sandbox_settings.Settings) -> dict[str, str]:
    folder = settings.cluster_api_dir
    health = f"{sandbox_settings.HOST}:{settings.core_health_port}"
    return {
        "kubeconfig": str(folder / "admin.kubeconfig"),
        "webhook-port": str(settings.core_port),
        "webhook-cert-dir": str(folder / "webhooks"),
        "health-addr": health,
        # Its metrics would need another port.
        "diagnostics-address": "0",
        "kube-api-qps": "1000",
        "kube-api-burst": "2000",
        "clustercache-client-qps": "300",
        "clustercache-client-burst": "500",
        "v": "2",
    }


def _flags(options: Mapping[str, str]) -> list[str]:
    return [f"--{name}={value}" for name, value in options.items()]


def _environment(settings: sandbox_settings.Settings) -> dict[str, str]:
    # Without the variables of a proxy or of another certificate authority.
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(settings.home_dir),
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": str(settings.plugins_dir),
        "PYTHONDONTWRITEBYTECODE": "1",
        **sandbox_settings.variables(settings),
    }


def _webhooks(
    settings: sandbox_settings.Settings,
) -> manifests.WebhookServer:
    authority = (settings.cluster_api_dir / "ca.crt").read_bytes()
    return manifests.WebhookServer(
        f"https://{sandbox_settings.HOST}:{settings.core_port}",
        base64.b64encode(authority).decode(),
    )


def _install_crds(
    client: api.ApiClient, core: Path, webhooks: manifests.WebhookServer
) -> None:
    crds = [
        manifests.core_crd(yaml.safe_load(path.read_text()), webhooks)
        for path in sorted((core / "crds").glob("*.yaml"))
    ]
    crds += manifests.provider_crds()
    paths = [f"{manifests.CRDS}/{x['metadata']['name']}" for x in crds]
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for done in [
            pool.submit(_apply, client, path, crd)
            for path, crd in zip(paths, crds, strict=True)
        ]:
            done.result()
    left = set(paths)

    def established() -> bool | None:
        for path in list(left):
            if manifests.is_established(client.find(path)):
                left.discard(path)
        return None if left else True

    waiting.wait_for(
        established,
        what="the kinds of Cluster API to be served",
        deadline_s=READY_DEADLINE_S,
        interval_s=POLL_S,
        progress=lambda: ", ".join(sorted(left)),
    )


def _apply(client: api.ApiClient, path: str, content: Any) -> None:
    try:
        client.apply(path, content)
    finally:
        client.close()


def _install_webhooks(
    client: api.ApiClient, core: Path, webhooks: manifests.WebhookServer
) -> None:
    text = (core / "webhooks.yaml").read_text()
    for document in yaml.safe_load_all(text):
        client.apply(*manifests.webhook_configuration(document, webhooks))


def _wait_for(port: int) -> None:
    waiting.wait_for(
        lambda: _is_ready(port) or None,
        what=f"{sandbox_settings.HOST}:{port} to be ready",
        deadline_s=READY_DEADLINE_S,
        interval_s=POLL_S,
    )


def is_wanted(settings: sandbox_settings.Settings) -> bool:
    """Tell whether this sandbox has a management cluster until ``down``."""
    return settings.cluster_api_dir.exists()


def request(settings: sandbox_settings.Settings) -> None:
    """Note that this sandbox has a management cluster until ``down``."""
    settings.cluster_api_dir.mkdir(mode=0o700, exist_ok=True)


def capi_helm(
    settings: sandbox_settings.Settings,
) -> sandbox_settings.CapiHelm:
    """Return what Magnum's driver needs, which may not exist yet."""
    return sandbox_settings.CapiHelm(
        kubeconfig=settings.cluster_api_dir / "admin.kubeconfig",
        chart=CHART,
        helm_folder=artifacts.helm_folder(settings.cache_dir),
    )


def ready(settings: sandbox_settings.Settings) -> bool:
    """Tell whether core is ready, and the provider knows all objects."""
    health = (settings.core_health_port, settings.provider_port)
    return all(map(_is_ready, health))


def _is_ready(port: int) -> bool:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        url = f"http://{sandbox_settings.HOST}:{port}/readyz"
        with direct.open(url, timeout=10):
            return True
    except OSError:
        return False

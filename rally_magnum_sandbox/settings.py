"""The sandbox's folders, ports and addresses."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace

from rally_magnum_sandbox import exceptions

NUMBER_VARIABLE = "RALLY_MAGNUM_SANDBOX_NUMBER"
STATE_VARIABLE = "RALLY_MAGNUM_SANDBOX_DIR"
CACHE_VARIABLE = "RALLY_MAGNUM_SANDBOX_CACHE"
PORT_VARIABLE = "RALLY_MAGNUM_SANDBOX_PORT"
EARLY_VARIABLE = "RALLY_MAGNUM_SANDBOX_EARLY"
BINARIES_VARIABLE = "RALLY_MAGNUM_SANDBOX_KUBERNETES_BINARIES"
DEFAULT_STATE_DIR = "/var/lib/rally-magnum-sandbox"
DEFAULT_CACHE_DIR = "/var/cache/rally-magnum-sandbox"
DEFAULT_FIRST_PORT = 15000
MAGNUM_VERSIONS = ("22", "23")
DEFAULT_MAGNUM_VERSION = "23"
# Names of Magnum's drivers, as in their entry points.
OWN_DRIVER = "rally_magnum_sandbox_kubernetes"
CAPI_HELM_DRIVER = "k8s_capi_helm_v1"
# Drivers that the sandbox has only if they are asked for.
CAPI_HELM = "capi-helm"
MORE_DRIVERS = (CAPI_HELM,)
# The kinds of our provider for Cluster API.
CLUSTER_API_GROUP_VERSION = "sandbox.rally-magnum-scale.example/v1"
CONTROL_PLANES_PLURAL = "sandboxcontrolplanes"
HOST = "127.0.0.1"
# How many sandboxes can run on one machine at the same time, and how many
# bays each can have. Bay indexes are 0 to 250; the rest are not used.
SANDBOXES = 4
BAYS_PER_SANDBOX = 60
PORTS_PER_SANDBOX = 10
NO_PROXY = "127.0.0.1,localhost,198.18.0.0/16"


@dataclass(frozen=True)
class CapiHelm:
    """What magnum-capi-helm needs; the files may be created later.

    :param kubeconfig: opens the management cluster
    :param chart: the folder of the Helm chart that describes a bay
    :param helm_folder: the folder of the program ``helm``
    """

    kubeconfig: pathlib.Path
    chart: pathlib.Path
    helm_folder: pathlib.Path


@dataclass(frozen=True)
class Settings:
    """The sandbox's folders and ports.

    :param state_dir: all data of one sandbox; ``down`` removes it
    :param cache_dir: downloads and builds; ``down`` keeps it, and all
        sandboxes of a machine can share it
    :param first_port: Keystone's port; Magnum, the stub and PostgreSQL use
        the next three, and Cluster API uses six more
    :param kubernetes_binaries: a folder with the official binaries, or one
        binary that contains all of them; None builds Kubernetes
    :param number: of this sandbox on the machine, from 0; it determines the
        control groups and the addresses of the bays
    :param magnum: the wanted major version of Magnum; None means that of the
        sandbox if there is one, and the default otherwise
    :param driver: a further driver for Magnum, of :data:`MORE_DRIVERS`; None
        means those of the sandbox if there is one
    :param early: whether Cluster API's provider reports a bay's
        infrastructure only when the control plane is up, which is faster
    """

    state_dir: pathlib.Path
    cache_dir: pathlib.Path
    first_port: int = DEFAULT_FIRST_PORT
    kubernetes_binaries: pathlib.Path | None = None
    number: int = 0
    magnum: str | None = None
    driver: str | None = None
    early: bool = True

    @property
    def cgroup(self) -> str:
        """The control group of all processes of the sandbox."""
        return f"rally-magnum-sandbox{_suffix(self.number)}"

    @property
    def cloud_cgroup(self) -> str:
        """The control group of the servers."""
        return f"{self.cgroup}/cloud"

    @property
    def bays_cgroup(self) -> str:
        """The control group of the bays."""
        return f"{self.cgroup}/bays"

    @property
    def bay_indexes(self) -> range:
        """The bay indexes that belong to this sandbox alone."""
        first = self.number * BAYS_PER_SANDBOX
        return range(first, first + BAYS_PER_SANDBOX)

    @property
    def keystone_port(self) -> int:
        return self.first_port

    @property
    def magnum_port(self) -> int:
        return self.first_port + 1

    @property
    def stub_port(self) -> int:
        return self.first_port + 2

    @property
    def postgres_port(self) -> int:
        return self.first_port + 3

    @property
    def management_etcd_port(self) -> int:
        return self.first_port + 4

    @property
    def management_port(self) -> int:
        """The API server of Cluster API's management cluster."""
        return self.first_port + 5

    @property
    def management_controllers_port(self) -> int:
        return self.first_port + 6

    @property
    def core_port(self) -> int:
        """The webhooks of Cluster API's core."""
        return self.first_port + 7

    @property
    def core_health_port(self) -> int:
        return self.first_port + 8

    @property
    def provider_port(self) -> int:
        """The health of Cluster API's provider."""
        return self.first_port + 9

    @property
    def keystone_url(self) -> str:
        return f"http://{HOST}:{self.keystone_port}/v3"

    @property
    def magnum_url(self) -> str:
        return f"http://{HOST}:{self.magnum_port}/v1"

    @property
    def stub_url(self) -> str:
        return f"http://{HOST}:{self.stub_port}"

    @property
    def bays_dir(self) -> pathlib.Path:
        return self.state_dir / "bays"

    @property
    def cluster_api_dir(self) -> pathlib.Path:
        return self.state_dir / "cluster-api"

    @property
    def logs_dir(self) -> pathlib.Path:
        return self.state_dir / "logs"

    @property
    def home_dir(self) -> pathlib.Path:
        return self.state_dir / "home"

    @property
    def plugins_dir(self) -> pathlib.Path:
        return self.state_dir / "plugins"

    @property
    def ready_file(self) -> pathlib.Path:
        return self.state_dir / "ready.json"

    @property
    def faults_file(self) -> pathlib.Path:
        return self.state_dir / "faults.json"

    @property
    def artifacts_file(self) -> pathlib.Path:
        """The file that tells Magnum's driver which artifacts bays use."""
        return self.bays_dir / "artifacts.json"

    @property
    def rally_database(self) -> str:
        return f"sqlite:///{self.state_dir}/rally/rally.db"


def from_environment(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings from the environment, with their defaults.

    :raises InvalidInput: if the port or the number is out of range, or if
        one folder contains the other
    """
    number = _number(environ)
    first_port = DEFAULT_FIRST_PORT + number * PORTS_PER_SANDBOX
    text = environ.get(PORT_VARIABLE, str(first_port))
    if not text.isdecimal() or not 1024 <= int(text) <= 65000:
        raise exceptions.InvalidInput(
            f"{PORT_VARIABLE} is {text!r}; it must be a port from 1024 to "
            "65000. The sandbox uses this port and the next three."
        )
    settings = Settings(
        _folder(
            environ, STATE_VARIABLE, f"{DEFAULT_STATE_DIR}{_suffix(number)}"
        ),
        _folder(environ, CACHE_VARIABLE, DEFAULT_CACHE_DIR),
        int(text),
        number=number,
        early=_early(environ),
    )
    _check_apart(settings.state_dir, settings.cache_dir)
    return with_binaries(settings, environ.get(BINARIES_VARIABLE))


def variables(settings: Settings) -> dict[str, str]:
    """Return the environment variables that give these settings."""
    return {
        NUMBER_VARIABLE: str(settings.number),
        STATE_VARIABLE: str(settings.state_dir),
        CACHE_VARIABLE: str(settings.cache_dir),
        PORT_VARIABLE: str(settings.first_port),
        EARLY_VARIABLE: str(int(settings.early)),
    }


def with_binaries(settings: Settings, text: str | None) -> Settings:
    """Set the path of the Kubernetes binaries, if it is not empty."""
    if not text:
        return settings
    found = pathlib.Path(text).expanduser().absolute()
    return replace(settings, kubernetes_binaries=found)


def _number(environ: Mapping[str, str]) -> int:
    text = environ.get(NUMBER_VARIABLE, "0")
    if not text.isdecimal() or int(text) >= SANDBOXES:
        raise exceptions.InvalidInput(
            f"{NUMBER_VARIABLE} is {text!r}; it must be a number from 0 to "
            f"{SANDBOXES - 1}, and different for each sandbox that runs on "
            "this machine at the same time."
        )
    return int(text)


def _early(environ: Mapping[str, str]) -> bool:
    text = environ.get(EARLY_VARIABLE, "1")
    if text not in ("0", "1"):
        raise exceptions.InvalidInput(
            f"{EARLY_VARIABLE} is {text!r}; it must be 1, or 0 if Cluster "
            "API's provider must report a bay's infrastructure before the "
            "control plane is up, as real providers do."
        )
    return text == "1"


def _suffix(number: int) -> str:
    return f"-{number}" if number else ""


def _folder(
    environ: Mapping[str, str], variable: str, default: str
) -> pathlib.Path:
    # With ".." in a path, the check for nested folders would fail.
    return pathlib.Path(
        os.path.abspath(environ.get(variable) or default)  # noqa: PTH100
    )


def _check_apart(state_dir: pathlib.Path, cache_dir: pathlib.Path) -> None:
    if state_dir.is_relative_to(cache_dir) or cache_dir.is_relative_to(
        state_dir
    ):
        raise exceptions.InvalidInput(
            f"{STATE_VARIABLE} is {state_dir} and {CACHE_VARIABLE} is "
            f"{cache_dir}, but neither may contain the other: `down` removes "
            "the first and keeps the second. Set one of them to another "
            "folder."
        )

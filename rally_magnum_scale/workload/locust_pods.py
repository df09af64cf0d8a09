"""What the Locust pods run: their code, command lines and environments."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from pathlib import Path

import rally_magnum_scale
from rally_magnum_scale.in_bay.job import Job
from rally_magnum_scale.in_bay.job import Trust
from rally_magnum_scale.workload import events
from rally_magnum_scale.workload import nginx
from rally_magnum_scale.workload.load_spec import LoadSpec

MASTER_PORT = 5557
CODE_ROOT = "/opt/rally-magnum-scale"
OWN_FILE_PATH = "own_file/own_locust_file.py"

PACKAGE = Path(rally_magnum_scale.__file__).parent
# Paths, in the package, of the modules that run in the bay.
CODE_PATHS = ("__init__.py", "in_bay/**/*.py")


def locustfiles(spec: LoadSpec) -> str:
    """Return the value for Locust's -f: our file, then the user's file."""
    ours = f"{PACKAGE.name}/in_bay/locustfile.py"
    both = [ours] if spec.locust_file is None else [ours, OWN_FILE_PATH]
    return ",".join(f"{CODE_ROOT}/{path}" for path in both)


def files(spec: LoadSpec) -> dict[str, str]:
    """Return the texts of all files below ``CODE_ROOT``, keyed by path."""
    found = {
        f"{PACKAGE.name}/{path.relative_to(PACKAGE).as_posix()}": (
            path.read_text("utf-8")
        )
        for pattern in CODE_PATHS
        for path in sorted(PACKAGE.glob(pattern))
    }
    if spec.locust_file is not None:
        found[OWN_FILE_PATH] = spec.locust_file
    return found


def key(path: str) -> str:
    """Return a file's key in a ConfigMap, where slashes are not allowed."""
    return path.replace("/", ".")


def master_environment(
    spec: LoadSpec, target_ip: str, pod_ips: Sequence[str]
) -> dict[str, str]:
    """Return the environment of the Locust master, with the job.

    :param target_ip: ClusterIP of the targets' Service
    :param pod_ips: addresses of the targets' pods, if the workers connect
        to them directly
    :raises ValueError: when a value is not an address
    """
    scheme, tls = "http", None
    if spec.tls:
        scheme, tls = "https", Trust(spec.names.server, spec.tls.ca_pem)
    job = Job(
        source=spec.source,
        traffic=spec.traffic,
        url=f"{scheme}://{_host(target_ip)}:{nginx.PORT}/",
        worker_processes=spec.worker_processes,
        connect_deadline_s=spec.connect_s,
        addresses=tuple(f"{_host(ip)}:{nginx.PORT}" for ip in pod_ips),
        tls=tls,
        version_header=events.VERSION_HEADER if spec.update else "",
    )
    return {**_own_file_environment(spec), **job.to_environ()}


def worker_environment(spec: LoadSpec, master_ip: str) -> dict[str, str]:
    """Return the environment of a Locust worker.

    :param master_ip: ClusterIP of the master's Service
    :raises ValueError: when that is not an address
    """
    return {
        **_own_file_environment(spec),
        "RMS_MASTER_HOST": str(ipaddress.ip_address(master_ip)),
        "RMS_MASTER_PORT": str(MASTER_PORT),
        "RMS_CONNECT_DEADLINE_S": str(spec.connect_s),
    }


def master_arguments(spec: LoadSpec, target_ip: str) -> list[str]:
    """Return the command line of the Locust master.

    :param target_ip: ClusterIP of the targets' Service
    """
    # One user for each engine, all started together.
    users = [
        f"--users={spec.worker_processes}",
        f"--spawn-rate={spec.worker_processes}",
    ]
    if spec.locust_file is not None:
        users = [
            f"--users={spec.users}",
            f"--spawn-rate={spec.spawn_rps:g}",
            f"--host=http://{_host(target_ip)}:{nginx.PORT}",
        ]
    return [
        "--master",
        "--headless",
        "--only-summary",
        f"--master-bind-port={MASTER_PORT}",
        f"--expect-workers={spec.worker_processes}",
        *users,
    ]


def worker_arguments(spec: LoadSpec, master_ip: str) -> list[str]:
    """Return the command line of a Locust worker.

    :param master_ip: ClusterIP of the master's Service
    """
    arguments = [
        "--worker",
        f"--master-host={ipaddress.ip_address(master_ip)}",
        f"--master-port={MASTER_PORT}",
    ]
    if spec.traffic.processes_per_worker > 1:
        arguments.append(f"--processes={spec.traffic.processes_per_worker}")
    if spec.locust_file is not None:
        # The records contain the failed requests.  With another exit
        # status, Kubernetes would restart the pod.
        arguments.append("--exit-code-on-error=0")
    return arguments


def _own_file_environment(spec: LoadSpec) -> dict[str, str]:
    return {} if spec.locust_file is None else {"RMS_OWN_FILE": "1"}


def _host(address: str) -> str:
    ip = ipaddress.ip_address(address)
    return f"[{ip}]" if ip.version == 6 else str(ip)

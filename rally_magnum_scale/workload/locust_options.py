"""Command lines and environments of the Locust master and its workers."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Sequence

from rally_magnum_scale.in_bay.job import Job
from rally_magnum_scale.in_bay.job import Trust
from rally_magnum_scale.workload import events
from rally_magnum_scale.workload import ports
from rally_magnum_scale.workload.load_spec import LoadSpec


def master_environment(
    spec: LoadSpec, target_ip: str, pod_ips: Sequence[str]
) -> dict[str, str]:
    """Return the environment of the Locust master, with the job.

    :param target_ip: ClusterIP of the targets' Service
    :param pod_ips: addresses of the targets' pods, if the workers connect
        to them directly
    :raises ValueError: when a value is not an address
    """
    job = Job(
        task=spec.task,
        iteration=spec.iteration,
        bay=spec.bay,
        plan=spec.plan,
        url=f"{_scheme(spec)}://{_host(target_ip)}:{ports.TARGET_PORT}/",
        addresses=tuple(f"{_host(ip)}:{ports.TARGET_PORT}" for ip in pod_ips),
        workers=spec.worker_processes,
        processes_per_worker=spec.processes_per_worker,
        connections=spec.connections_per_worker,
        timeout_s=spec.timeout_s,
        connect_deadline_s=spec.connect_s,
        lateness_s=spec.lateness_s,
        search=spec.search,
        asked=spec.request,
        keep_alive=spec.keep_alive,
        arrivals=spec.arrivals,
        tls=_trust(spec),
        version_header=events.VERSION_HEADER if spec.update else "",
    ).to_json()
    identity = {key: str(job.pop(key)) for key in ("task", "iteration", "bay")}
    return {
        **_own_file_environment(spec),
        **{f"RMS_{key.upper()}": value for key, value in identity.items()},
        "RMS_JOB": json.dumps(job, separators=(",", ":")),
    }


def worker_environment(spec: LoadSpec, master_ip: str) -> dict[str, str]:
    """Return the environment of a Locust worker.

    :param master_ip: ClusterIP of the master's Service
    :raises ValueError: when that is not an address
    """
    return {
        **_own_file_environment(spec),
        "RMS_MASTER_HOST": str(ipaddress.ip_address(master_ip)),
        "RMS_MASTER_PORT": str(ports.MASTER_PORT),
        "RMS_CONNECT_DEADLINE_S": str(spec.connect_s),
    }


def master_arguments(spec: LoadSpec, target_ip: str) -> list[str]:
    """Return the command line of the Locust master.

    :param target_ip: ClusterIP of the targets' Service
    """
    return [
        "--master",
        "--headless",
        "--only-summary",
        f"--master-bind-port={ports.MASTER_PORT}",
        f"--expect-workers={spec.worker_processes}",
        *_users_arguments(spec, target_ip),
    ]


def worker_arguments(spec: LoadSpec, master_ip: str) -> list[str]:
    """Return the command line of a Locust worker.

    :param master_ip: ClusterIP of the master's Service
    """
    arguments = [
        "--worker",
        f"--master-host={ipaddress.ip_address(master_ip)}",
        f"--master-port={ports.MASTER_PORT}",
    ]
    if spec.processes_per_worker > 1:
        arguments.append(f"--processes={spec.processes_per_worker}")
    if spec.own_file is not None:
        # The records contain the failed requests.  With another exit
        # status, Kubernetes would restart the pod.
        arguments.append("--exit-code-on-error=0")
    return arguments


def _own_file_environment(spec: LoadSpec) -> dict[str, str]:
    return {} if spec.own_file is None else {"RMS_OWN_FILE": "1"}


def _users_arguments(spec: LoadSpec, target_ip: str) -> list[str]:
    if spec.own_file is None:
        # One user for each engine, all started together.
        return [
            f"--users={spec.worker_processes}",
            f"--spawn-rate={spec.worker_processes}",
        ]
    return [
        f"--users={spec.users}",
        f"--spawn-rate={spec.spawn_rps:g}",
        f"--host=http://{_host(target_ip)}:{ports.TARGET_PORT}",
    ]


def _trust(spec: LoadSpec) -> Trust | None:
    if spec.tls is None:
        return None
    return Trust(spec.names.server, spec.tls.ca_pem)


def _scheme(spec: LoadSpec) -> str:
    return "http" if spec.tls is None else "https"


def _host(address: str) -> str:
    ip = ipaddress.ip_address(address)
    return f"[{ip}]" if ip.version == 6 else str(ip)

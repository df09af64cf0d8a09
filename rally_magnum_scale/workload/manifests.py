"""The Kubernetes objects of a load, from jinja2 templates.

They are made in two steps, because a bay may have no name service: first
all that needs no address (:func:`foundation`, with the targets), then,
when the Services have their ClusterIPs and the targets are ready, the
Locust master and its workers (:func:`load`).
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import yaml

import rally_magnum_scale
from rally_magnum_scale.workload.in_bay.asking import Request as Request
from rally_magnum_scale.workload.in_bay.job import Job
from rally_magnum_scale.workload.in_bay.job import Trust
from rally_magnum_scale.workload.pod_options import COMPONENTS
from rally_magnum_scale.workload.spec import LOCUST_IMAGE as LOCUST_IMAGE
from rally_magnum_scale.workload.spec import NGINX_IMAGE as NGINX_IMAGE
from rally_magnum_scale.workload.spec import POD_ADDRESS as POD_ADDRESS
from rally_magnum_scale.workload.spec import Names as Names
from rally_magnum_scale.workload.spec import TargetTls as TargetTls
from rally_magnum_scale.workload.spec import WorkloadSpec as WorkloadSpec

TARGET_PORT = 8080
# Of the counts, where the other port speaks TLS only.
STATUS_PORT = 8081
STATUS_PATH = "/stub_status"
MASTER_PORT = 5557
MASTER_CONTAINER = "master"
TARGET_CONTAINER = "target"
CODE_ROOT = "/opt/rally-magnum-scale"
OWN_FILE_PATH = "own_file/own_locust_file.py"
SPREAD_WORDS = {"preferred": "ScheduleAnyway", "required": "DoNotSchedule"}

PACKAGE = Path(rally_magnum_scale.__file__).parent
# What runs in the bay, by its path in the package.
CODE_PATHS = (
    "__init__.py",
    "measurement/__init__.py",
    "measurement/cpu_time.py",
    "measurement/arrivals.py",
    "measurement/bay_records.py",
    "measurement/cpusets.py",
    "measurement/histogram.py",
    "measurement/rate_search.py",
    "measurement/record_body.py",
    "measurement/records.py",
    "measurement/steps.py",
    "measurement/throughput.py",
    "measurement/trials.py",
    "measurement/windows.py",
    "workload/__init__.py",
    "workload/in_bay/*.py",
)


def namespace(spec: WorkloadSpec) -> list[dict[str, Any]]:
    """Return what all other objects need, in the order to create it.

    :returns: the Namespace, and the Secret of the registry if there is one
    """
    return _objects(_render(spec, "namespace.yaml.j2"))


def puller(spec: WorkloadSpec) -> dict[str, Any]:
    """Return the DaemonSet that pulls the images on every node of the load.

    Its pods are Ready as soon as their images are there: they only sleep.
    """
    (found,) = _objects(
        _render(
            spec,
            "puller.yaml.j2",
            node_terms=_node_terms(spec),
            tolerations=_all_tolerations(spec),
        )
    )
    return found


def foundation(spec: WorkloadSpec) -> list[dict[str, Any]]:
    """Return what needs no address, in the order to create it.

    :returns: ConfigMaps, Services, and the targets' Deployment
    """
    nginx_conf = _render(spec, "nginx.conf.j2")
    return _objects(
        _render(
            spec,
            "foundation.yaml.j2",
            nginx_conf=nginx_conf,
            code={_key(path): text for path, text in _files(spec).items()},
        )
    )


def load(
    spec: WorkloadSpec,
    *,
    target_ip: str,
    master_ip: str,
    pod_ips: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Return the Locust master's Pod and the workers' Job.

    :param target_ip: ClusterIP of the Service ``names.target``
    :param master_ip: ClusterIP of the Service ``names.master``
    :param pod_ips: of the targets, when they are asked by their own
        addresses
    :raises ValueError: when one is no address, as in a headless Service
    """
    return _objects(
        _render(
            spec,
            "load.yaml.j2",
            code_items=[
                {"key": _key(path), "path": path} for path in _files(spec)
            ],
            environment={
                "master": _master_environment(spec, target_ip, pod_ips),
                "worker": {
                    **_own_file_environment(spec),
                    "RMS_MASTER_HOST": str(ipaddress.ip_address(master_ip)),
                    "RMS_MASTER_PORT": str(MASTER_PORT),
                    "RMS_CONNECT_DEADLINE_S": str(spec.connect_s),
                },
            },
            master_arguments=_master_arguments(spec, target_ip),
            worker_arguments=_worker_arguments(spec, master_ip),
        )
    )


def status_port(spec: WorkloadSpec) -> int:
    """Return the port on which a target tells its counts, in plain HTTP."""
    return TARGET_PORT if spec.tls is None else STATUS_PORT


def requests_counted(stub_status: str) -> int:
    """Read how many requests an nginx has counted, this one included.

    :param stub_status: what ``STATUS_PATH`` answered
    :raises ValueError: when it is something else
    """
    found = re.search(
        r"^server accepts handled requests\s+\d+ \d+ (\d+)",
        stub_status,
        re.MULTILINE,
    )
    if not found:
        raise ValueError(
            f"The target's {STATUS_PATH} answered no counts but "
            f"{stub_status[:80]!r}."
        )
    return int(found.group(1))


def _node_terms(spec: WorkloadSpec) -> list[dict[str, Any]]:
    """Return what a node must be like for any of the pods to run there.

    No term at all is every node, as for pods without a node selector.
    """
    selectors = [spec.pods[name].node_selector for name in COMPONENTS]
    if not all(selectors):
        return []
    return [
        {
            "matchExpressions": [
                {"key": key, "operator": "In", "values": [value]}
                for key, value in selector.items()
            ]
        }
        for selector in selectors
    ]


def _all_tolerations(spec: WorkloadSpec) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name in COMPONENTS:
        for toleration in spec.pods[name].tolerations:
            if toleration not in found:
                found.append(dict(toleration))
    return found


def _master_environment(
    spec: WorkloadSpec, target_ip: str, pod_ips: Sequence[str]
) -> dict[str, str]:
    job = Job(
        task=spec.task,
        iteration=spec.iteration,
        bay=spec.bay,
        plan=spec.plan,
        url=f"{_scheme(spec)}://{_host(target_ip)}:{TARGET_PORT}/",
        addresses=tuple(f"{_host(ip)}:{TARGET_PORT}" for ip in pod_ips),
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
    ).to_json()
    identity = {key: str(job.pop(key)) for key in ("task", "iteration", "bay")}
    return {
        **_own_file_environment(spec),
        **{f"RMS_{key.upper()}": value for key, value in identity.items()},
        "RMS_JOB": json.dumps(job, separators=(",", ":")),
    }


def _own_file_environment(spec: WorkloadSpec) -> dict[str, str]:
    return {} if spec.own_file is None else {"RMS_OWN_FILE": "1"}


def _master_arguments(spec: WorkloadSpec, target_ip: str) -> list[str]:
    return [
        "--master",
        "--headless",
        "--only-summary",
        f"--master-bind-port={MASTER_PORT}",
        f"--expect-workers={spec.worker_processes}",
        *_users_arguments(spec, target_ip),
    ]


def _users_arguments(spec: WorkloadSpec, target_ip: str) -> list[str]:
    if spec.own_file is None:
        # One for each engine, all at once.
        return [
            f"--users={spec.worker_processes}",
            f"--spawn-rate={spec.worker_processes}",
        ]
    return [
        f"--users={spec.users}",
        f"--spawn-rate={spec.spawn_rps:g}",
        f"--host=http://{_host(target_ip)}:{TARGET_PORT}",
    ]


def _worker_arguments(spec: WorkloadSpec, master_ip: str) -> list[str]:
    arguments = [
        "--worker",
        f"--master-host={ipaddress.ip_address(master_ip)}",
        f"--master-port={MASTER_PORT}",
    ]
    if spec.processes_per_worker > 1:
        arguments.append(f"--processes={spec.processes_per_worker}")
    if spec.own_file is not None:
        # Requests that failed are in the records; a pod that fails is
        # started again.
        arguments.append("--exit-code-on-error=0")
    return arguments


def _render(spec: WorkloadSpec, template: str, **values: Any) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("rally_magnum_scale.workload"),
        undefined=jinja2.StrictUndefined,
        # The values are written as JSON, which YAML reads as it is.
        autoescape=False,  # noqa: S701
        keep_trailing_newline=True,
    )
    # What tojson does for HTML would be part of the values here.
    environment.filters["tojson"] = json.dumps
    environment.globals.update(
        spec=spec,
        names=spec.names,
        labels=spec.labels,
        spread_words=SPREAD_WORDS,
        target_port=TARGET_PORT,
        master_port=MASTER_PORT,
        status_path=STATUS_PATH,
        status_port=STATUS_PORT,
        master_container=MASTER_CONTAINER,
        code_root=CODE_ROOT,
        locustfile=_locustfiles(spec),
        container_security={
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
    )
    macros = environment.get_template("pod.yaml.j2").module
    return environment.get_template(template).render(
        pod_basics=macros.pod_basics,  # type: ignore[attr-defined]
        pod_spec=macros.pod_spec,  # type: ignore[attr-defined]
        resources=macros.resources,  # type: ignore[attr-defined]
        **values,
    )


def _objects(text: str) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(text) if one]


def _locustfiles(spec: WorkloadSpec) -> str:
    """Return what Locust reads: ours before one of the user's."""
    ours = f"{PACKAGE.name}/workload/in_bay/locustfile.py"
    both = [ours] if spec.own_file is None else [ours, OWN_FILE_PATH]
    return ",".join(f"{CODE_ROOT}/{path}" for path in both)


def _files(spec: WorkloadSpec) -> dict[str, str]:
    """Return the text of all files below ``CODE_ROOT`` by their paths."""
    found = {f"{PACKAGE.name}/{path}": one for path, one in _code().items()}
    if spec.own_file is not None:
        found[OWN_FILE_PATH] = spec.own_file
    return found


def _code() -> dict[str, str]:
    paths = [
        path
        for pattern in CODE_PATHS
        for path in sorted(PACKAGE.glob(pattern))
    ]
    return {
        path.relative_to(PACKAGE).as_posix(): path.read_text("utf-8")
        for path in paths
    }


def _trust(spec: WorkloadSpec) -> Trust | None:
    if spec.tls is None:
        return None
    return Trust(spec.names.server, spec.tls.ca_pem)


def _scheme(spec: WorkloadSpec) -> str:
    return "http" if spec.tls is None else "https"


def _key(path: str) -> str:
    """A ConfigMap's keys have no slash."""
    return path.replace("/", ".")


def _host(address: str) -> str:
    ip = ipaddress.ip_address(address)
    return f"[{ip}]" if ip.version == 6 else str(ip)

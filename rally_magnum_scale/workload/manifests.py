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
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

import jinja2
import yaml

import rally_magnum_scale
from rally_magnum_scale.measurement.steps import Plan
from rally_magnum_scale.workload.in_bay.job import Job

LOCUST_IMAGE = "locustio/locust:2.47.0"
NGINX_IMAGE = "nginxinc/nginx-unprivileged:1.28-alpine"
PULL_POLICIES = ("Always", "IfNotPresent", "Never")

TARGET_PORT = 8080
STATUS_PATH = "/stub_status"
MASTER_PORT = 5557
MASTER_CONTAINER = "master"
CODE_ROOT = "/opt/rally-magnum-scale"

LABEL_TASK = "rally-magnum-scale/task"
LABEL_ITERATION = "rally-magnum-scale/iteration"
LABEL_COMPONENT = "rally-magnum-scale/component"
LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGED_BY = "rally-magnum-scale"

PACKAGE = Path(rally_magnum_scale.__file__).parent
# What runs in the bay, by its path in the package.
CODE_PATHS = (
    "__init__.py",
    "measurement/__init__.py",
    "measurement/histogram.py",
    "measurement/steps.py",
    "measurement/windows.py",
    "workload/__init__.py",
    "workload/in_bay/*.py",
)

Resources = Mapping[str, str]


@dataclass(frozen=True)
class WorkloadSpec:
    """A load and where it runs.

    :param task: id of the Rally task
    :param iteration: number of its iteration
    :param bay: name of the bay, for the records
    :param plan: which rate when
    :param targets: nginx pods
    :param workers: Locust workers
    :param connections_per_worker: keep-alive connections of each
    :param timeout_s: after how long a request has failed
    :param connect_deadline_s: how long the master waits for its workers
    :param lateness_s: how late a window may come
    :param target_processes: of each nginx; None for one a core of its node
    :raises ValueError: naming the argument that can't be right
    """

    task: str
    iteration: int
    bay: str
    plan: Plan
    targets: int = 1
    workers: int = 1
    connections_per_worker: int = 64
    timeout_s: float = 10.0
    connect_deadline_s: float = 300.0
    lateness_s: float = 10.0
    target_processes: int | None = None
    locust_image: str = LOCUST_IMAGE
    nginx_image: str = NGINX_IMAGE
    image_pull_policy: str = "IfNotPresent"
    image_pull_secrets: tuple[str, ...] = ()
    node_selector: Mapping[str, str] = field(default_factory=dict)
    target_requests: Resources = field(default_factory=dict)
    target_limits: Resources = field(default_factory=dict)
    worker_requests: Resources = field(default_factory=dict)
    worker_limits: Resources = field(default_factory=dict)
    master_requests: Resources = field(default_factory=dict)
    master_limits: Resources = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key in ("targets", "workers", "connections_per_worker"):
            _check_count(key, getattr(self, key))
        if self.target_processes is not None:
            _check_count("target_processes", self.target_processes)
        for key in ("timeout_s", "connect_deadline_s", "lateness_s"):
            if getattr(self, key) <= 0:
                raise ValueError(
                    f"{key}: must be above 0: {getattr(self, key)}"
                )
        for key in ("locust_image", "nginx_image", "task"):
            if not getattr(self, key):
                raise ValueError(f"{key}: must not be empty")
        if self.image_pull_policy not in PULL_POLICIES:
            raise ValueError(
                f"image_pull_policy: {self.image_pull_policy!r} is none of "
                f"{', '.join(PULL_POLICIES)}"
            )

    @property
    def names(self) -> Names:
        """The names of all objects."""
        return Names(f"rms-{_short(self.task)}-{self.iteration}")

    def labels(self, component: str = "") -> dict[str, str]:
        """Return the labels of an object.

        :param component: ``target``, ``master``, ``worker``, or nothing
            for those that all objects of the run have
        """
        labels = {
            LABEL_MANAGED_BY: MANAGED_BY,
            LABEL_TASK: self.task,
            LABEL_ITERATION: str(self.iteration),
        }
        if component:
            labels[LABEL_COMPONENT] = component
        return labels

    def selector(self, component: str = "") -> str:
        """Return :meth:`labels` as a label selector."""
        return ",".join(f"{k}={v}" for k, v in self.labels(component).items())


@dataclass(frozen=True)
class Names:
    """The names of the objects of one run.

    :param prefix: ``rms-<8 of the task's id>-<iteration>``
    """

    prefix: str

    @property
    def namespace(self) -> str:
        """The namespace that holds all others."""
        return f"{self.prefix}-load"

    @property
    def code(self) -> str:
        """The ConfigMap with the Locust file and its engine."""
        return f"{self.prefix}-code"

    @property
    def nginx_conf(self) -> str:
        """The ConfigMap with the targets' configuration."""
        return f"{self.prefix}-nginx"

    @property
    def target(self) -> str:
        """The targets' Deployment and Service."""
        return f"{self.prefix}-target"

    @property
    def master(self) -> str:
        """The Locust master's Pod and Service."""
        return f"{self.prefix}-master"

    @property
    def worker(self) -> str:
        """The workers' Job."""
        return f"{self.prefix}-worker"


def foundation(spec: WorkloadSpec) -> list[dict[str, Any]]:
    """Return what needs no address, in the order to apply it.

    :returns: Namespace, ConfigMaps, Services, and the targets' Deployment
    """
    nginx_conf = _render(spec, "nginx.conf.j2")
    return _objects(
        _render(
            spec,
            "foundation.yaml.j2",
            nginx_conf=nginx_conf,
            code={_key(path): text for path, text in _code().items()},
        )
    )


def load(
    spec: WorkloadSpec, *, target_ip: str, master_ip: str
) -> list[dict[str, Any]]:
    """Return the Locust master's Pod and the workers' Job.

    :param target_ip: ClusterIP of the Service ``names.target``
    :param master_ip: ClusterIP of the Service ``names.master``
    :raises ValueError: when one is no address, as in a headless Service
    """
    return _objects(
        _render(
            spec,
            "load.yaml.j2",
            code_items=[
                {"key": _key(path), "path": f"{PACKAGE.name}/{path}"}
                for path in _code()
            ],
            environment={
                "master": _master_environment(spec, _host(target_ip)),
                "worker": {
                    "RMS_MASTER_HOST": str(ipaddress.ip_address(master_ip)),
                    "RMS_MASTER_PORT": str(MASTER_PORT),
                },
            },
            master_arguments=_master_arguments(spec),
            worker_arguments=[
                "--worker",
                f"--master-host={ipaddress.ip_address(master_ip)}",
                f"--master-port={MASTER_PORT}",
            ],
        )
    )


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


def _master_environment(spec: WorkloadSpec, host: str) -> dict[str, str]:
    job = Job(
        task=spec.task,
        iteration=spec.iteration,
        bay=spec.bay,
        plan=spec.plan,
        url=f"http://{host}:{TARGET_PORT}/",
        workers=spec.workers,
        connections=spec.connections_per_worker,
        timeout_s=spec.timeout_s,
        connect_deadline_s=spec.connect_deadline_s,
        lateness_s=spec.lateness_s,
    ).to_json()
    identity = {key: str(job.pop(key)) for key in ("task", "iteration", "bay")}
    return {
        **{f"RMS_{key.upper()}": value for key, value in identity.items()},
        "RMS_JOB": json.dumps(job),
    }


def _master_arguments(spec: WorkloadSpec) -> list[str]:
    return [
        "--master",
        "--headless",
        "--only-summary",
        f"--master-bind-port={MASTER_PORT}",
        f"--expect-workers={spec.workers}",
        f"--users={spec.workers}",
        f"--spawn-rate={spec.workers}",
    ]


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
        pull_secrets=[{"name": name} for name in spec.image_pull_secrets],
        target_port=TARGET_PORT,
        master_port=MASTER_PORT,
        status_path=STATUS_PATH,
        master_container=MASTER_CONTAINER,
        code_root=CODE_ROOT,
        locustfile=(
            f"{CODE_ROOT}/{PACKAGE.name}/workload/in_bay/locustfile.py"
        ),
        container_security={
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
    )
    macros = environment.get_template("pod.yaml.j2").module
    return environment.get_template(template).render(
        pod_spec=macros.pod_spec,  # type: ignore[attr-defined]
        resources=macros.resources,  # type: ignore[attr-defined]
        **values,
    )


def _objects(text: str) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(text) if one]


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


def _key(path: str) -> str:
    """A ConfigMap's keys have no slash."""
    return path.replace("/", ".")


def _host(address: str) -> str:
    ip = ipaddress.ip_address(address)
    return f"[{ip}]" if ip.version == 6 else str(ip)


def _short(task: str) -> str:
    """Return 8 characters of a task's id that a name may have."""
    return re.sub(r"[^a-z0-9]", "", task.lower())[:8] or "task"


def _check_count(key: str, value: int) -> None:
    if type(value) is not int or value < 1:
        raise ValueError(f"{key}: must be a whole number above 0: {value!r}")

"""What a load is made of, checked, and what its objects are called."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from dataclasses import fields
from typing import Any

from rally_magnum_scale.measurement.arrivals import ARRIVALS
from rally_magnum_scale.measurement.arrivals import CONSTANT
from rally_magnum_scale.measurement.steps import Plan
from rally_magnum_scale.measurement.trials import Search
from rally_magnum_scale.workload import locust_file
from rally_magnum_scale.workload import pod_options
from rally_magnum_scale.workload.in_bay.asking import Request
from rally_magnum_scale.workload.pod_options import PodOptions

LOCUST_IMAGE = "locustio/locust:2.47.0"
NGINX_IMAGE = "nginxinc/nginx-unprivileged:1.28-alpine"
PULL_POLICIES = ("Always", "IfNotPresent", "Never")
SPREADS = ("preferred", "required", "none")
SERVICE_ADDRESS = "service"
POD_ADDRESS = "pod"
TARGET_ADDRESSES = (SERVICE_ADDRESS, POD_ADDRESS)
# What says how our engine asks: a Locust file of the user's asks by itself.
ENGINE_ONLY = (
    "connections_per_worker",
    "target_address",
    "request",
    "keep_alive",
    "arrivals",
)

LABEL_TASK = "rally-magnum-scale/task"
LABEL_ITERATION = "rally-magnum-scale/iteration"
LABEL_COMPONENT = "rally-magnum-scale/component"
LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGED_BY = "rally-magnum-scale"

# What pods may take to be scheduled, pulled and started.
_START_BASE_S = 300.0
_START_S_PER_POD = 1.0
# Two images on each node, from a registry that all nodes share.
_PULL_BASE_S = 600.0
_PULL_S_PER_NODE = 2.0
# One Locust master takes up to 4,000 workers in 50 s.
_CONNECT_BASE_S = 300.0
_CONNECT_S_PER_WORKER = 0.05
# Measured by the benchmark master_scale: of the one core that a Locust master
# can use, 2,000 workers take 0.45; with 3,000 and 4,000 it fell behind.
MAX_WORKER_PROCESSES = 2_000
# Locust warns of problems when a worker starts more users in a second.
_SPAWN_RPS = 100.0
_PLAIN = Request()


@dataclass(frozen=True)
class TargetTls:
    """With what the targets serve HTTPS.

    :param ca_pem: certificate of the authority that signed the next
    :param certificate_pem: for the name ``names.server``
    :param key_pem: its private key
    """

    ca_pem: str
    certificate_pem: str
    key_pem: str = field(repr=False)


@dataclass(frozen=True)
class WorkloadSpec:
    """A load and where it runs.

    :param task: id of the Rally task
    :param iteration: number of its iteration
    :param bay: name of the bay, for the records
    :param plan: which rate when; of a search, its first step
    :param search: for the highest rate, which decides step by step
    :param targets: nginx pods
    :param workers: pods of Locust workers
    :param processes_per_worker: Locust processes in each, one engine in
        each of them
    :param connections_per_worker: keep-alive connections of each pod,
        divided over its processes
    :param timeout_s: after how long a request has failed
    :param target_address: ``service``, or ``pod`` for connections that go
        to the targets themselves, the same number to each
    :param start_deadline_s: how long pods may take to become Ready; None
        for ours, which grows with their number, as in the next two
    :param pull_deadline_s: how long nodes may take to pull the images
    :param connect_deadline_s: how long the master waits for its workers
    :param lateness_s: how late a window may come
    :param target_processes: of each nginx; None for one a core of its node
    :param image_prefix: put before both images, with a slash
    :param image_pull_secret: content of a docker ``config.json``
    :param pull_ahead: pull the images on all nodes before the deployment
    :param pods: options of ``target``, ``worker`` and ``master``
    :param request: what is asked, and what must be answered
    :param keep_alive: False for a new connection for each request
    :param arrivals: of the requests of an open loop: ``constant`` or
        ``poisson``
    :param tls: with what the targets serve HTTPS; None for HTTP
    :param spread: over the nodes: ``preferred``, ``required`` or ``none``
    :param own_file: text of an ordinary Locust file that makes the load
        instead of our engine; needs ``users``, and steps without a rate
    :param users: Locust users of all workers together
    :param spawn_rate: how many of them are started in a second; None for
        up to 100 in each process
    :raises ValueError: naming the argument that can't be right
    """

    task: str
    iteration: int
    bay: str
    plan: Plan
    targets: int = 1
    workers: int = 1
    processes_per_worker: int = 1
    connections_per_worker: int = 64
    timeout_s: float = 10.0
    target_address: str = SERVICE_ADDRESS
    start_deadline_s: float | None = None
    pull_deadline_s: float | None = None
    connect_deadline_s: float | None = None
    lateness_s: float = 10.0
    target_processes: int | None = None
    locust_image: str = LOCUST_IMAGE
    nginx_image: str = NGINX_IMAGE
    image_prefix: str = ""
    image_pull_policy: str = "IfNotPresent"
    image_pull_secret: str | None = field(default=None, repr=False)
    pull_ahead: bool = False
    pods: Mapping[str, PodOptions] = field(default_factory=dict)
    spread: str = "preferred"
    own_file: str | None = field(default=None, repr=False)
    users: int | None = None
    spawn_rate: float | None = None
    search: Search | None = None
    request: Request = _PLAIN
    keep_alive: bool = True
    arrivals: str = CONSTANT
    tls: TargetTls | None = None

    def __post_init__(self) -> None:
        self._check_numbers()
        self._check_users()
        if self.own_file is not None:
            locust_file.check(self.own_file)
            self._check_own_load()
        for key in ("locust_image", "nginx_image", "task"):
            if not getattr(self, key):
                raise ValueError(f"{key}: must not be empty")
        _check_one_of(
            "image_pull_policy", self.image_pull_policy, PULL_POLICIES
        )
        _check_one_of("arrivals", self.arrivals, ARRIVALS)
        _check_one_of("spread", self.spread, SPREADS)
        _check_one_of("target_address", self.target_address, TARGET_ADDRESSES)
        if self.image_pull_secret is not None:
            _check_secret(self.image_pull_secret)
        object.__setattr__(self, "pods", pod_options.read_all(self.pods))

    def _check_numbers(self) -> None:
        for key in (
            "targets",
            "workers",
            "processes_per_worker",
            "connections_per_worker",
        ):
            _check_count(key, getattr(self, key))
        if self.target_processes is not None:
            _check_count("target_processes", self.target_processes)
        for key in (
            "timeout_s",
            "lateness_s",
            "start_deadline_s",
            "pull_deadline_s",
            "connect_deadline_s",
        ):
            _check_seconds(key, getattr(self, key))
        self._check_connections()
        self._check_master()

    def _check_users(self) -> None:
        if self.own_file is None:
            for key in ("users", "spawn_rate"):
                if getattr(self, key) is not None:
                    raise ValueError(
                        f"{key}: is for a locust_file, and none is given"
                    )
            return
        if self.users is None:
            raise ValueError(
                "users: must be given with locust_file, the number of Locust "
                "users of all workers together"
            )
        _check_count("users", self.users)
        if self.users < self.worker_processes:
            raise ValueError(
                f"users: {self.users} are too few for {self.worker_processes} "
                "worker processes, each needs one"
            )
        if self.spawn_rate is not None and not self.spawn_rate > 0:
            raise ValueError(f"spawn_rate: must be above 0: {self.spawn_rate}")

    def _check_own_load(self) -> None:
        """Refuse what only our engine could do."""
        for index, step in enumerate(self.plan.steps):
            if step.rate_rps is not None:
                raise ValueError(
                    f"steps[{index}].rate_rps: must be null with locust_file, "
                    "whose users ask as fast as they like"
                )
        for one in fields(self):
            given = getattr(self, one.name)
            if one.name in ENGINE_ONLY and given != one.default:
                raise ValueError(
                    f"{one.name}: {given!r} is for the package's own load "
                    "engine; leave it out with locust_file, whose users get "
                    "the targets' address as their host"
                )

    def _check_connections(self) -> None:
        if self.connections_per_worker < self.processes_per_worker:
            raise ValueError(
                f"connections_per_worker: {self.connections_per_worker} are "
                f"too few for {self.processes_per_worker} processes, each "
                "needs one"
            )
        connections = self.workers * self.connections_per_worker
        if self.target_address == POD_ADDRESS and connections < self.targets:
            raise ValueError(
                f"connections_per_worker: {connections} connections of all "
                f"workers can't reach {self.targets} targets by their pod "
                "addresses, each needs one"
            )

    def _check_master(self) -> None:
        """Refuse more Locust workers than one Locust master carries."""
        if self.worker_processes <= MAX_WORKER_PROCESSES:
            return
        key, would_do = "workers", MAX_WORKER_PROCESSES
        if self.processes_per_worker > MAX_WORKER_PROCESSES:
            key = "processes_per_worker"
        else:
            would_do //= self.processes_per_worker
        raise ValueError(
            f"{key}: {self.workers} pods of {self.processes_per_worker} "
            f"processes are {self.worker_processes} Locust workers, and one "
            f"Locust master carries {MAX_WORKER_PROCESSES}; {would_do} would "
            "do, each with a larger share of the rate"
        )

    @property
    def names(self) -> Names:
        """The names of all objects."""
        return Names(f"rms-{_short(self.task)}-{self.iteration}")

    @property
    def worker_processes(self) -> int:
        """How many Locust workers the master must expect."""
        return self.workers * self.processes_per_worker

    @property
    def spawn_rps(self) -> float:
        """How many Locust users are started in a second."""
        return self.spawn_rate or _SPAWN_RPS * self.worker_processes

    @property
    def longest_s(self) -> float:
        """How long the load may run from its first second to its last.

        Between the steps of a search answers are waited for, and the
        workers get their next order.
        """
        if self.search is None:
            return self.plan.total_s
        between_s = self.timeout_s + self.lateness_s
        return self.search.longest_s + self.search.max_steps * between_s

    @property
    def connect_s(self) -> float:
        """How long the master waits for its workers and their users."""
        connect_s = self.connect_deadline_s or (
            _CONNECT_BASE_S + _CONNECT_S_PER_WORKER * self.worker_processes
        )
        return connect_s + (self.users or 0) / self.spawn_rps

    def start_s(self, pods: int) -> float:
        """Return how long a number of pods may take to become Ready."""
        return self.start_deadline_s or (
            _START_BASE_S + _START_S_PER_POD * pods
        )

    def pull_s(self, nodes: int) -> float:
        """Return how long a number of nodes may take to pull the images."""
        return self.pull_deadline_s or (
            _PULL_BASE_S + _PULL_S_PER_NODE * nodes
        )

    def image(self, name: str) -> str:
        """Return an image with the prefix of the registry."""
        prefix = self.image_prefix.rstrip("/")
        return f"{prefix}/{name.lstrip('/')}" if prefix else name

    def labels(self, component: str = "") -> dict[str, str]:
        """Return the labels of an object.

        :param component: ``target``, ``master``, ``worker``, ``pull``, or
            nothing for those that all objects of the run have
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
    def pull_secret(self) -> str:
        """The Secret with which the images are pulled."""
        return f"{self.prefix}-registry"

    @property
    def pull(self) -> str:
        """The DaemonSet that pulls the images ahead."""
        return f"{self.prefix}-pull"

    @property
    def target(self) -> str:
        """The targets' Deployment and Service."""
        return f"{self.prefix}-target"

    @property
    def server(self) -> str:
        """The name that a certificate of the targets is for."""
        return f"{self.target}.{self.namespace}.svc"

    @property
    def certificate(self) -> str:
        """The Secret with the certificate of the targets."""
        return f"{self.prefix}-tls"

    @property
    def master(self) -> str:
        """The Locust master's Pod and Service."""
        return f"{self.prefix}-master"

    @property
    def worker(self) -> str:
        """The workers' Job."""
        return f"{self.prefix}-worker"


def _short(task: str) -> str:
    """Return 8 characters of a task's id that a name may have."""
    return re.sub(r"[^a-z0-9]", "", task.lower())[:8] or "task"


def _check_count(key: str, value: int) -> None:
    if type(value) is not int or value < 1:
        raise ValueError(f"{key}: must be a whole number above 0: {value!r}")


def _check_seconds(key: str, value: float | None) -> None:
    if value is not None and value <= 0:
        raise ValueError(f"{key}: must be above 0: {value}")


def _check_one_of(key: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"{key}: {value!r} is none of {', '.join(known)}")


def _check_secret(content: str) -> None:
    """Never repeat what was given: it holds a password."""
    try:
        read: Any = json.loads(content)
    except (TypeError, ValueError):
        read = None
    if not isinstance(read, dict) or not isinstance(read.get("auths"), dict):
        raise pod_options.wrong(
            "image_pull_secret",
            "must be the content of a docker config.json, an object with "
            '"auths"',
        ) from None

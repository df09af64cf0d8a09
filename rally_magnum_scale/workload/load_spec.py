"""The specification of a load: its traffic, its pods, and its deadlines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field

from rally_magnum_scale.in_bay.stats import checks
from rally_magnum_scale.in_bay.stats.records import Source
from rally_magnum_scale.in_bay.traffic import Traffic
from rally_magnum_scale.workload import events
from rally_magnum_scale.workload import locust_file
from rally_magnum_scale.workload import naming
from rally_magnum_scale.workload.pod_options import PodOptions

PULL_POLICIES = ("Always", "IfNotPresent", "Never")
SPREADS = ("preferred", "required", "none")
SERVICE_ADDRESS = "service"
POD_ADDRESS = "pod"
TARGET_ADDRESSES = (SERVICE_ADDRESS, POD_ADDRESS)
# Measured by the benchmark master_scale: a Locust master can use one core.
# With 2,000 workers it used 0.45 cores; with 3,000 and 4,000 it fell behind.
MAX_WORKER_PROCESSES = 2_000

# Time for pods to be scheduled, pulled and started.
_START_BASE_S = 300.0
_START_S_PER_POD = 1.0
# Time to pull two images on each node, from a registry that all share.
_PULL_BASE_S = 600.0
_PULL_S_PER_NODE = 2.0
# Kubernetes detects a lost node after 40 to 50 s, and by default evicts its
# pods 300 s later.
_RECOVER_S = 900.0
# One Locust master accepts up to 4,000 workers in 50 s.
_CONNECT_BASE_S = 300.0
_CONNECT_S_PER_WORKER = 0.05
# Locust warns when a worker starts more users per second.
_SPAWN_RPS = 100.0


@dataclass(frozen=True)
class TargetTls:
    """Certificate and key with which the targets serve HTTPS.

    :param ca_pem: certificate of the authority that signed the targets'
        certificate
    :param certificate_pem: the targets' certificate, for ``names.server``
    :param key_pem: private key of the targets' certificate
    """

    ca_pem: str
    certificate_pem: str
    key_pem: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Deadlines:
    """Deadlines of the phases of a load; None for the default.

    The defaults grow with the load, except that of the recovery.

    :param start_s: how long pods may take to become Ready
    :param pull_s: how long nodes may take to pull the images
    :param connect_s: how long the master waits for its workers
    :param update_s: how long the update may take
    :param recover_s: how long it may take after a fault until the targets
        serve as before
    :raises ValueError: when a deadline is invalid; names the key
    """

    start_s: float | None = None
    pull_s: float | None = None
    connect_s: float | None = None
    update_s: float | None = None
    recover_s: float | None = None

    def __post_init__(self) -> None:
        for key, value in asdict(self).items():
            checks.check_seconds(f"deadlines.{key}", value)


@dataclass(frozen=True, kw_only=True)
class LoadSpec:
    """A load and the bay in which it runs.

    :param source: the run and the bay, for the records
    :param traffic: the requests, and how workers send them
    :param targets: number of nginx pods
    :param target_processes: processes of each nginx; None for one per core
        of its node
    :param target_address: ``service``, or ``pod`` for connections directly
        to the targets, the same number to each
    :param tls: certificate and key of the targets; None for HTTP
    :param workers: number of Locust worker pods
    :param locust_file: text of an ordinary locustfile that generates the
        load instead of our engine; requires ``users``, and steps without a
        rate
    :param users: number of Locust users of all workers together
    :param spawn_rate: users started per second; None for up to 100 in each
        process
    :param locust_image: image of the master and the workers
    :param nginx_image: image of the targets
    :param image_prefix: prefix of both images, followed by a slash
    :param image_pull_policy: one of :data:`PULL_POLICIES`
    :param image_pull_secret: content of a docker ``config.json``
    :param pull_ahead: pull the images on all nodes before the deployment
    :param pods: options of ``target``, ``worker`` and ``master``
    :param spread: how pods are spread over the nodes: ``preferred``,
        ``required`` or ``none``
    :param update: update of the targets while the load runs
    :param faults: faults that take out nodes while the load runs
    :param deadlines: deadlines that replace the defaults
    :param run_by: text that tells a later start which process removes the
        load; empty if the load is deleted with the bay
    :raises ValueError: when an argument is invalid; names the argument
    """

    source: Source
    traffic: Traffic
    targets: int
    target_processes: int | None
    target_address: str
    tls: TargetTls | None = None
    workers: int
    locust_file: str | None = field(default=None, repr=False)
    users: int | None = None
    spawn_rate: float | None = None
    locust_image: str
    nginx_image: str
    image_prefix: str
    image_pull_policy: str
    image_pull_secret: str | None = field(repr=False)
    pull_ahead: bool
    pods: Mapping[str, PodOptions]
    spread: str
    update: events.RollingUpdate | None = None
    faults: tuple[events.NodeFault, ...] = ()
    deadlines: Deadlines
    run_by: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        for key in ("targets", "workers"):
            checks.check_count(key, getattr(self, key))
        if self.target_processes is not None:
            checks.check_count("target_processes", self.target_processes)
        self._check_connections()
        self._check_master()
        self._check_users()
        if self.locust_file is not None:
            locust_file.check(self.locust_file)
            self._check_rates()
        for key in ("locust_image", "nginx_image"):
            if not getattr(self, key):
                raise ValueError(f"{key}: must not be empty")
        checks.check_one_of(
            "image_pull_policy", self.image_pull_policy, PULL_POLICIES
        )
        checks.check_one_of("spread", self.spread, SPREADS)
        checks.check_one_of(
            "target_address", self.target_address, TARGET_ADDRESSES
        )
        if self.image_pull_secret is not None:
            _check_secret(self.image_pull_secret)
        self._check_events()

    @property
    def names(self) -> naming.Names:
        """The names of all Kubernetes objects of the load."""
        return naming.Names(self.source.task, self.source.iteration)

    @property
    def worker_processes(self) -> int:
        """Number of Locust workers that the master expects."""
        return self.workers * self.traffic.processes_per_worker

    @property
    def spawn_rps(self) -> float:
        """Number of Locust users that are started per second."""
        return self.spawn_rate or _SPAWN_RPS * self.worker_processes

    @property
    def connect_s(self) -> float:
        """How long the master waits for its workers and their users."""
        connect_s = self.deadlines.connect_s or (
            _CONNECT_BASE_S + _CONNECT_S_PER_WORKER * self.worker_processes
        )
        return connect_s + (self.users or 0) / self.spawn_rps

    def start_s(self, pods: int) -> float:
        """Return how long a number of pods may take to become Ready."""
        return self.deadlines.start_s or (
            _START_BASE_S + _START_S_PER_POD * pods
        )

    @property
    def update_s(self) -> float:
        """How long an update of the targets may take."""
        if self.deadlines.update_s or self.update is None:
            return self.deadlines.update_s or 0.0
        pre_stop_s = self.update.pre_stop_s + self.update.min_ready_s
        return self.start_s(self.targets) + pre_stop_s * self.targets

    @property
    def recover_s(self) -> float:
        """How long the recovery from a fault may take."""
        return self.deadlines.recover_s or _RECOVER_S

    def pull_s(self, nodes: int) -> float:
        """Return how long a number of nodes may take to pull the images."""
        return self.deadlines.pull_s or (
            _PULL_BASE_S + _PULL_S_PER_NODE * nodes
        )

    def image(self, name: str) -> str:
        """Return the name of an image with the prefix."""
        prefix = self.image_prefix.rstrip("/")
        return f"{prefix}/{name.lstrip('/')}" if prefix else name

    def labels(self, component: str = "") -> dict[str, str]:
        """Return the labels of an object.

        :param component: ``target``, ``master``, ``worker``, ``pull``, or
            empty for the labels that all objects of the run have
        """
        found = {
            naming.LABEL_MANAGED_BY: naming.MANAGED_BY,
            naming.LABEL_TASK: self.source.task,
            naming.LABEL_ITERATION: str(self.source.iteration),
        }
        if component:
            found[naming.LABEL_COMPONENT] = component
        return found

    def selector(self, component: str = "") -> str:
        """Return :meth:`labels` as a label selector."""
        return ",".join(f"{k}={v}" for k, v in self.labels(component).items())

    def _check_users(self) -> None:
        if self.locust_file is None:
            for key in ("users", "spawn_rate"):
                if getattr(self, key) is not None:
                    raise ValueError(
                        f"{key}: works only with locust_file, which is not "
                        "given"
                    )
            return
        if self.users is None:
            raise ValueError(
                "users: is required with locust_file; give the number of "
                "Locust users of all workers together"
            )
        checks.check_count("users", self.users)
        if self.users < self.worker_processes:
            raise ValueError(
                f"users: {self.users} are too few for {self.worker_processes} "
                "worker processes; each process needs at least one user"
            )
        if self.spawn_rate is not None and not self.spawn_rate > 0:
            raise ValueError(f"spawn_rate: must be above 0: {self.spawn_rate}")

    def _check_rates(self) -> None:
        """Refuse rates, which the users of a locustfile determine."""
        for index, step in enumerate(self.traffic.plan.steps):
            if step.rate_rps is not None:
                raise ValueError(
                    f"steps[{index}].rate_rps: must be null with locust_file, "
                    "because the file determines the rate"
                )

    def _check_events(self) -> None:
        """Refuse events that can't happen, or that no load survives."""
        if self.update is not None:
            self.update.check("update", self.traffic.plan)
        for index, fault in enumerate(self.faults):
            fault.check(f"faults[{index}]", self.traffic.plan)
        lost = sum(fault.nodes for fault in self.faults)
        if lost > self.targets:
            raise ValueError(
                f"faults: each of {lost} nodes to take out must run a target, "
                f"but there are {self.targets} targets; use more targets or "
                "take out fewer nodes"
            )
        disturbed = "update" if self.update else "faults"
        if self.target_address == POD_ADDRESS and (self.update or self.faults):
            raise ValueError(
                f"target_address: {disturbed} creates pods with new "
                "addresses, which the workers don't know; use service"
            )

    def _check_connections(self) -> None:
        connections = self.workers * self.traffic.connections_per_worker
        if self.target_address == POD_ADDRESS and connections < self.targets:
            raise ValueError(
                f"connections_per_worker: {connections} connections of all "
                f"workers are too few for {self.targets} targets; with "
                "target_address pod, each target needs at least one connection"
            )

    def _check_master(self) -> None:
        """Refuse more Locust workers than one Locust master supports."""
        if self.worker_processes <= MAX_WORKER_PROCESSES:
            return
        processes = self.traffic.processes_per_worker
        key, maximum = "workers", MAX_WORKER_PROCESSES
        if processes > MAX_WORKER_PROCESSES:
            key = "processes_per_worker"
        else:
            maximum //= processes
        raise ValueError(
            f"{key}: {self.workers} pods of {processes} "
            f"processes are {self.worker_processes} Locust workers, but one "
            f"Locust master supports {MAX_WORKER_PROCESSES}; use at most "
            f"{maximum}, each with a larger share of the rate"
        )


def _check_secret(content: str) -> None:
    """Check the pull secret; no error contains it, as it has a password."""
    try:
        has_auths = isinstance(json.loads(content)["auths"], dict)
    except (KeyError, TypeError, ValueError):
        has_auths = False
    if not has_auths:
        raise ValueError(
            "image_pull_secret: must be the content of a docker config.json, "
            'an object with "auths"'
        )

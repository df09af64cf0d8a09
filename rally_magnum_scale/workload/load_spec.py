"""What a load is made of, and how long its parts may take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field

from rally_magnum_scale.in_bay.request_spec import Request
from rally_magnum_scale.in_bay.stats.arrivals import CONSTANT
from rally_magnum_scale.in_bay.stats.steps import Plan
from rally_magnum_scale.in_bay.stats.trials import Search
from rally_magnum_scale.workload import checks
from rally_magnum_scale.workload import choices
from rally_magnum_scale.workload import events
from rally_magnum_scale.workload import naming
from rally_magnum_scale.workload import pod_options
from rally_magnum_scale.workload.pod_options import PodOptions

LOCUST_IMAGE = "locustio/locust:2.47.0"
NGINX_IMAGE = "nginxinc/nginx-unprivileged:1.28-alpine"

# What pods may take to be scheduled, pulled and started.
_START_BASE_S = 300.0
_START_S_PER_POD = 1.0
# Two images on each node, from a registry that all nodes share.
_PULL_BASE_S = 600.0
_PULL_S_PER_NODE = 2.0
# Kubernetes notices a lost node after 40 to 50 s, and by default leaves its
# pods there for 300 s more.
_RECOVER_S = 900.0
# One Locust master takes up to 4,000 workers in 50 s.
_CONNECT_BASE_S = 300.0
_CONNECT_S_PER_WORKER = 0.05
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
class LoadSpec:
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
    :param run_by: who would remove the load from a bay that stays, as a text
        for a later start; empty where the bay takes it along
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
    :param update: of the targets, while the load runs
    :param faults: nodes that are lost while the load runs
    :param update_deadline_s: how long the update may take; None for ours,
        which grows with the targets
    :param recover_deadline_s: how long it may take after a fault until all
        is served as before; None for ours
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
    target_address: str = choices.SERVICE_ADDRESS
    start_deadline_s: float | None = None
    pull_deadline_s: float | None = None
    connect_deadline_s: float | None = None
    lateness_s: float = 10.0
    target_processes: int | None = None
    locust_image: str = LOCUST_IMAGE
    nginx_image: str = NGINX_IMAGE
    image_prefix: str = ""
    image_pull_policy: str = "IfNotPresent"
    run_by: str = field(default="", repr=False)
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
    update: events.RollingUpdate | None = None
    faults: tuple[events.NodeFault, ...] = ()
    update_deadline_s: float | None = None
    recover_deadline_s: float | None = None

    def __post_init__(self) -> None:
        checks.check(self)
        object.__setattr__(self, "pods", pod_options.read_all(self.pods))

    @property
    def names(self) -> naming.Names:
        """The names of all objects."""
        return naming.Names.of(self.task, self.iteration)

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

    @property
    def update_s(self) -> float:
        """How long an update of the targets may take."""
        if self.update_deadline_s or self.update is None:
            return self.update_deadline_s or 0.0
        pre_stop_s = self.update.pre_stop_s + self.update.min_ready_s
        return self.start_s(self.targets) + pre_stop_s * self.targets

    @property
    def recover_s(self) -> float:
        """How long it may take until all is served again after a fault."""
        return self.recover_deadline_s or _RECOVER_S

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
        return naming.labels(self.task, self.iteration, component)

    def selector(self, component: str = "") -> str:
        """Return :meth:`labels` as a label selector."""
        return ",".join(f"{k}={v}" for k, v in self.labels(component).items())

"""The specification of a load, with the deadlines of its phases."""

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
_PLAIN = Request()


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


@dataclass(frozen=True)
class LoadSpec:
    """A load and the bay in which it runs.

    :param task: id of the Rally task
    :param iteration: number of the iteration
    :param bay: name of the bay, for the records
    :param plan: the steps and their rates; for a search, its first step
    :param search: search for the highest rate, decided step by step
    :param targets: number of nginx pods
    :param workers: number of Locust worker pods
    :param processes_per_worker: Locust processes in each worker pod, each
        with one engine
    :param connections_per_worker: keep-alive connections of each worker
        pod, divided over its processes
    :param timeout_s: timeout of a request
    :param target_address: ``service``, or ``pod`` for connections directly
        to the targets, the same number to each
    :param start_deadline_s: how long pods may take to become Ready; None
        for a default that grows with their number, as in the next two
    :param pull_deadline_s: how long nodes may take to pull the images
    :param connect_deadline_s: how long the master waits for its workers
    :param lateness_s: how late a window may arrive
    :param target_processes: processes of each nginx; None for one per core
        of its node
    :param image_prefix: prefix of both images, followed by a slash
    :param run_by: text that tells a later start which process removes the
        load; empty if the load is deleted with the bay
    :param image_pull_secret: content of a docker ``config.json``
    :param pull_ahead: pull the images on all nodes before the deployment
    :param pods: options of ``target``, ``worker`` and ``master``
    :param request: the request and the expected response
    :param keep_alive: False for a new connection for each request
    :param arrivals: arrivals of the requests in an open loop: ``constant``
        or ``poisson``
    :param tls: certificate and key of the targets; None for HTTP
    :param spread: how pods are spread over the nodes: ``preferred``,
        ``required`` or ``none``
    :param own_file: text of an ordinary Locust file that generates the load
        instead of our engine; requires ``users``, and steps without a rate
    :param users: number of Locust users of all workers together
    :param spawn_rate: users started per second; None for up to 100 in each
        process
    :param update: update of the targets while the load runs
    :param faults: faults that take out nodes while the load runs
    :param update_deadline_s: how long the update may take; None for a
        default that grows with the targets
    :param recover_deadline_s: how long it may take after a fault until the
        targets serve as before; None for the default
    :raises ValueError: when an argument is invalid; names the argument
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
        """The names of all Kubernetes objects of the load."""
        return naming.Names.of(self.task, self.iteration)

    @property
    def worker_processes(self) -> int:
        """Number of Locust workers that the master expects."""
        return self.workers * self.processes_per_worker

    @property
    def spawn_rps(self) -> float:
        """Number of Locust users that are started per second."""
        return self.spawn_rate or _SPAWN_RPS * self.worker_processes

    @property
    def longest_s(self) -> float:
        """How long the load may run from its first second to its last.

        Between the steps of a search, the workers wait for responses and
        get their next order.
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
        """How long the recovery from a fault may take."""
        return self.recover_deadline_s or _RECOVER_S

    def pull_s(self, nodes: int) -> float:
        """Return how long a number of nodes may take to pull the images."""
        return self.pull_deadline_s or (
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
        return naming.labels(self.task, self.iteration, component)

    def selector(self, component: str = "") -> str:
        """Return :meth:`labels` as a label selector."""
        return ",".join(f"{k}={v}" for k, v in self.labels(component).items())

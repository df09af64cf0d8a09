"""The arguments that scenarios share."""

from __future__ import annotations

import dataclasses
import math
from typing import Annotated
from typing import Any
from typing import Literal
from typing import NotRequired

from rally.task.scenario import Field
from typing_extensions import TypedDict

from rally_magnum_scale.bays import deadlines as bay_deadlines
from rally_magnum_scale.bays import lifecycle
from rally_magnum_scale.measurement import rate_search
from rally_magnum_scale.measurement import steps as plans
from rally_magnum_scale.measurement import trials
from rally_magnum_scale.runs import locust_file
from rally_magnum_scale.runs import pull_secret
from rally_magnum_scale.task.scenarios import signature
from rally_magnum_scale.workload import manifests
from rally_magnum_scale.workload import pod_options

NO_TLS = "none"

Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]
Milliseconds = Annotated[float, Field(gt=0)]
Rate = Annotated[float, Field(gt=0)]
Name = Annotated[str, Field(min_length=1)]


@signature.closed
class BayDeadlines(TypedDict, total=False):
    """How long the parts of a bay's life may take."""

    create_s: Seconds
    nodes_ready_s: Seconds
    delete_s: Seconds


@signature.closed
class ResizeDeadlines(TypedDict, total=False):
    """How long the parts of a resize may take."""

    resize_s: Seconds
    settle_s: Seconds


@signature.closed
class ReplaceDeadlines(ResizeDeadlines, total=False):
    """How long the parts of a replacement may take."""

    drain_s: Seconds


@signature.closed
class LoadDeadlines(TypedDict, total=False):
    """How long the parts of a load may take."""

    pull_s: Seconds
    start_s: Seconds
    connect_s: Seconds


@signature.closed
class StepArgument(TypedDict):
    """One step of a load."""

    rate_rps: Annotated[float, Field(gt=0)] | None
    duration_s: Annotated[int, Field(ge=1)]
    ramp_s: NotRequired[Annotated[int, Field(ge=0)]]


@signature.closed
class RequestArgument(TypedDict, total=False):
    """What is asked of the targets, and what they must answer."""

    method: Name
    path: Name
    headers: dict[str, str]
    body: str
    expected_status: Annotated[int, Field(ge=200, le=599)]
    expected_body_bytes: Annotated[int, Field(ge=0)]


@signature.closed
class PodArgument(TypedDict, total=False):
    """What the pods of one component get, and where they may run."""

    requests: dict[str, str]
    limits: dict[str, str]
    node_selector: dict[str, str]
    tolerations: list[dict[str, Any]]


@signature.closed
class PodsArgument(TypedDict, total=False):
    """The components of a load."""

    target: PodArgument
    worker: PodArgument
    master: PodArgument


@dataclasses.dataclass(frozen=True)
class BayArguments:
    """The bay that a scenario makes.

    :param nodes: number of nodes, masters not counted
    :param bay_template: the name of a template that the context
        ``bay_templates`` makes, or name or id of a cluster template; when
        it is left out, the only Kubernetes template that the cloud shows
    :param masters: number of masters (default 1)
    :param keypair: name of a Nova keypair, if the template has none
    :param network: name or id of the Neutron network of the nodes, if not
        the template's
    :param subnet: name or id of a subnet of that network
    :param flavor: of the nodes, if not the template's
    :param master_flavor: of the masters, if not the template's
    :param labels: cluster labels, merged over those of the template
    :param deadlines: ``create_s``, from the request to CREATE_COMPLETE,
        ``nodes_ready_s``, from then to the last node Ready, and
        ``delete_s``; by default they grow with the nodes
    :param keep_bay: leave the bay when the run is over, and write
        ``<name of the bay>.kubeconfig`` into the current folder; needs
        existing users (default false)
    """

    nodes: Count
    bay_template: Name | None = None
    masters: Count = 1
    keypair: Name | None = None
    network: Name | None = None
    subnet: Name | None = None
    flavor: Name | None = None
    master_flavor: Name | None = None
    labels: dict[str, str] = dataclasses.field(default_factory=dict)
    deadlines: BayDeadlines = dataclasses.field(
        default_factory=lambda: BayDeadlines()
    )
    keep_bay: bool = False

    def request(self, name: str, template: str | None) -> lifecycle.BayRequest:
        """Return what is asked of Magnum.

        :param name: of the bay
        :param template: name or id of a cluster template, None for the
            only one
        """
        return lifecycle.BayRequest(
            name=name,
            nodes=self.nodes,
            template=template,
            masters=self.masters,
            keypair=self.keypair,
            labels=self.labels,
            network=self.network,
            subnet=self.subnet,
            flavor=self.flavor,
            master_flavor=self.master_flavor,
            deadlines=bay_deadlines.Deadlines(**self.deadlines),
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ResizeArguments:
    """The sizes that a bay is brought to.

    :param sizes: numbers of nodes, one after the other; each must differ
        from the one before, the first from ``nodes``
    :param deadlines: ``resize_s``, from each resize request to
        UPDATE_COMPLETE, and ``settle_s``, from then until every new node is
        Ready and every old one gone; by default they grow with the nodes
        that come or go
    """

    sizes: list[Count]
    deadlines: ResizeDeadlines = dataclasses.field(
        default_factory=lambda: ResizeDeadlines()
    )

    def check(self, nodes: int) -> None:
        """Check what a type can't.

        :param nodes: of the bay at first
        :raises ValueError: when the sizes are no changes
        """
        if not self.sizes:
            raise ValueError(
                "sizes: there must be at least one number of nodes"
            )
        before = nodes
        for number, size in enumerate(self.sizes):
            if size == before:
                raise ValueError(
                    f"sizes[{number}]: the bay has {before} nodes already, "
                    "and each size must differ from the one before"
                )
            before = size


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReplaceArguments:
    """The nodes that are replaced by new ones.

    :param count: how many nodes, spread evenly over the list by name
    :param share: the same as a share of all nodes, rounded up; exactly one
        of the two is given
    :param batch: how many at once, one batch after the other (default: all)
    :param drain: cordon the nodes and evict their pods first, as far as
        PodDisruptionBudgets allow (default true)
    :param deadlines: of each batch: ``drain_s``, until the nodes are empty,
        ``resize_s``, from the request to UPDATE_COMPLETE, and ``settle_s``,
        from then until every new node is Ready and every old one gone; by
        default they grow with the nodes
    """

    count: Count | None = None
    share: Annotated[float, Field(gt=0, le=1)] | None = None
    batch: Count | None = None
    drain: bool = True
    deadlines: ReplaceDeadlines = dataclasses.field(
        default_factory=lambda: ReplaceDeadlines()
    )

    def number(self, nodes: int) -> int:
        """Return how many nodes are replaced.

        :param nodes: that the bay has
        :raises ValueError: when that can't be told, or not be done
        """
        if (self.count is None) == (self.share is None):
            raise ValueError("give exactly one of count and share")
        # 7 % of 100 is 7, and not a little more.
        of_share = math.ceil(round(nodes * (self.share or 0), 9))
        number = self.count or of_share
        if number > nodes:
            raise ValueError(
                f"count: {number} nodes can't be replaced in a bay of {nodes}"
            )
        return number


@dataclasses.dataclass(frozen=True)
class WhichBay:
    """A bay that is there already: one of the context ``bays`` by default.

    :param bay: name or id of a bay that the user sees in Magnum
    :param bay_role: the bays of the context ``bays`` whose entry has this
        ``name``; by default all take turns
    :param kubeconfig: path, where Rally runs, of a kubeconfig: no OpenStack
        is needed then
    :param kubeconfig_context: name of one of its contexts, by default the
        current one
    """

    bay: Name | None = None
    bay_role: Name | None = None
    kubeconfig: Name | None = None
    kubeconfig_context: Name | None = None


@signature.closed
class BoundsArgument(TypedDict, total=False):
    """What must hold for a rate to hold."""

    p50_ms: Milliseconds
    p90_ms: Milliseconds
    p99_ms: Milliseconds
    p99_9_ms: Milliseconds
    max_ms: Milliseconds
    max_error_ratio: Annotated[float, Field(ge=0, le=1)]


@dataclasses.dataclass(frozen=True)
class WorkloadArguments:
    """What asks and what is asked, whatever the rate.

    :param targets: number of nginx pods that are asked (default 1)
    :param workers: number of Locust worker pods that ask (default 1)
    :param processes_per_worker: Locust processes in each worker pod, among
        which its connections are divided; by default the whole cores of
        the worker's CPU limit in ``pods``, 1 without a limit
    :param target_processes: nginx processes in each target, by default one
        for each core of its node
    :param connections_per_worker: keep-alive connections of each worker pod
        (default 64)
    :param timeout_s: seconds after which a request has failed (default 10)
    :param locust_image: image of the Locust master and workers (default
        locustio/locust:2.47.0)
    :param nginx_image: image of the targets (default
        nginxinc/nginx-unprivileged:1.28-alpine)
    :param image_prefix: put in front of both images with a slash, such as
        ``registry.example.org/mirror``
    :param image_pull_policy: Always, IfNotPresent (default) or Never
    :param image_pull_secret_file: path, where Rally runs, of a Docker
        ``config.json`` with the credentials for the images' registry
    :param pull_ahead: pull the images on every node that the load may use
        first, and time it apart as ``workload.pull_images`` (default false)
    :param pods: for ``target``, ``worker`` and ``master``: ``requests`` and
        ``limits`` (CPU and memory), ``node_selector`` and ``tolerations``,
        as Kubernetes has them
    :param spread: how pods of one kind are spread over the nodes: preferred
        (default), required or none
    :param target_address: whether workers ask the targets by their Service
        or directly by the addresses of their pods: service (default) or pod
    :param request: what is asked and must be answered: ``method`` (default
        GET), ``path`` (default /), ``headers``, ``body``,
        ``expected_status`` (default 200) and ``expected_body_bytes``
        (default any)
    :param keep_alive: false opens a new connection for each request, and
        counts the time to connect into its latency; the connections of
        a worker are then those open at once (default true)
    :param arrivals: of the requests of a step with a rate: constant, at
        even intervals (default), or poisson, at random ones of that mean
    :param tls: none (default), or bay_ca: the targets serve HTTPS with a
        certificate that Magnum signs by the bay's CA, against which the
        workers verify it
    :param deadlines: ``pull_s``, ``start_s``, until all pods are Ready, and
        ``connect_s``, until all workers have connected; by default they
        grow with the pods
    """

    targets: Count = 1
    workers: Count = 1
    processes_per_worker: Count | None = None
    target_processes: Count | None = None
    connections_per_worker: Count = 64
    timeout_s: Seconds = 10.0
    locust_image: Name = manifests.LOCUST_IMAGE
    nginx_image: Name = manifests.NGINX_IMAGE
    image_prefix: str = ""
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = (
        "IfNotPresent"
    )
    image_pull_secret_file: Name | None = None
    pull_ahead: bool = False
    pods: PodsArgument = dataclasses.field(
        default_factory=lambda: PodsArgument()
    )
    spread: Literal["preferred", "required", "none"] = "preferred"
    target_address: Literal["service", "pod"] = "service"
    request: RequestArgument = dataclasses.field(
        default_factory=lambda: RequestArgument()
    )
    keep_alive: bool = True
    arrivals: Literal["constant", "poisson"] = "constant"
    tls: Literal["none", "bay_ca"] = "none"
    deadlines: LoadDeadlines = dataclasses.field(
        default_factory=lambda: LoadDeadlines()
    )

    def spec(
        self, task: str, iteration: int, bay: str
    ) -> manifests.WorkloadSpec:
        """Return the load of one iteration.

        :param task: uuid of the Rally task
        :param iteration: its number
        :param bay: name of the bay, for the records
        :raises ValueError: naming the argument that can't be right
        :raises InvalidInput: when the pull secret's file can't be right
        """
        passed = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(WorkloadArguments)
        }
        secret_file = passed.pop("image_pull_secret_file")
        passed["request"] = manifests.Request.from_json(self.request)
        passed["pods"] = pod_options.read_all(self.pods)
        if self.processes_per_worker is None:
            passed["processes_per_worker"] = pod_options.whole_cores(
                passed["pods"]["worker"]
            )
        deadlines = passed.pop("deadlines")
        # Its certificate is signed when there is a bay.
        del passed["tls"]
        return manifests.WorkloadSpec(
            task=task,
            iteration=iteration,
            bay=bay,
            image_pull_secret=pull_secret.read(secret_file),
            start_deadline_s=deadlines.get("start_s"),
            pull_deadline_s=deadlines.get("pull_s"),
            connect_deadline_s=deadlines.get("connect_s"),
            **passed,
            **self._rates(),
        )

    def _rates(self) -> dict[str, Any]:
        """Return what the load is to do, for its spec."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True, kw_only=True)
class LoadArguments(WorkloadArguments):
    """The load that a scenario runs in a bay.

    :param steps: the load, one step after the other: ``rate_rps``, requests
        a second of all workers together (null for a closed loop), held for
        ``duration_s`` after a ramp of ``ramp_s``
    :param locust_file: path, where Rally runs, of an ordinary Locust file
        that makes the load instead of the package's engine. It is taken
        alone, without files that it imports from beside it, and its users
        get the targets' address as their host. They ask as they like, so
        every step has a ``rate_rps`` of null: all users are started first,
        and then ``ramp_s`` and ``duration_s`` count
    :param users: with ``locust_file``, and only then: Locust users of all
        workers together
    :param spawn_rate: with ``locust_file``: users started in a second, by
        default 100 in each worker process
    """

    steps: list[StepArgument]
    locust_file: Name | None = None
    users: Count | None = None
    spawn_rate: Annotated[float, Field(gt=0)] | None = None

    def _rates(self) -> dict[str, Any]:
        if self.locust_file is not None and self.tls != NO_TLS:
            raise ValueError(
                "tls: is for the package's own load engine; leave it out "
                "with locust_file, whose users would trust no bay's CA"
            )
        return {
            "plan": plans.Plan.from_json(self.steps),
            "own_file": locust_file.read(self.locust_file),
            "users": self.users,
            "spawn_rate": self.spawn_rate,
        }


@dataclasses.dataclass(frozen=True, kw_only=True)
class SearchArguments(WorkloadArguments):
    """The search for the highest rate that a bay serves well.

    :param bounds: what must hold: ``p50_ms``, ``p90_ms``, ``p99_ms``,
        ``p99_9_ms`` and ``max_ms`` of the latency, ``max_error_ratio``; at
        least one.  99 % of the offer must be answered as expected besides
    :param start_rps: the first rate; by default a closed loop is run first,
        and the search begins near the rate that it reaches
    :param min_rps: the search goes no lower (default: a hundredth of the
        highest rate that it has tried)
    :param max_rps: the search goes no higher (default: no limit)
    :param precision: how close the highest rate that holds and the lowest
        that does not must come, as a share (default 0.05)
    :param step_s: seconds for which a rate is held (default 10)
    :param ramp_s: seconds of the ramp before that (default 2)
    :param confirm_s: seconds of the step that confirms the rate found
        (default 30)
    :param max_steps: all steps together, after which the search ends with
        what it knows (default 20)
    """

    bounds: BoundsArgument
    start_rps: Rate | None = None
    min_rps: Rate | None = None
    max_rps: Rate | None = None
    precision: Annotated[float, Field(ge=0.001, le=1)] = 0.05
    step_s: Count = 10
    ramp_s: Annotated[int, Field(ge=0)] = 2
    confirm_s: Count = 30
    max_steps: Annotated[int, Field(ge=2)] = 20

    def _rates(self) -> dict[str, Any]:
        wanted = trials.Search(
            **{
                field.name: getattr(self, field.name)
                for field in dataclasses.fields(trials.Search)
            }
        )
        return {"plan": rate_search.first_plan(wanted), "search": wanted}

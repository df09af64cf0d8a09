"""The arguments of what asks and what is asked, whatever the rate."""

from __future__ import annotations

import dataclasses
from typing import Annotated
from typing import Any
from typing import Literal

from rally.task.scenario import Field
from typing_extensions import TypedDict

from rally_magnum_scale.in_bay import request_spec
from rally_magnum_scale.runs import pull_secret
from rally_magnum_scale.task.scenarios import bounded
from rally_magnum_scale.task.scenarios import signature
from rally_magnum_scale.workload import load_spec
from rally_magnum_scale.workload import pod_options

NO_TLS = "none"


@signature.closed
class LoadDeadlines(TypedDict, total=False):
    """How long the parts of a load may take."""

    pull_s: bounded.Seconds
    start_s: bounded.Seconds
    connect_s: bounded.Seconds


@signature.closed
class RequestArgument(TypedDict, total=False):
    """What is asked of the targets, and what they must answer."""

    method: bounded.Name
    path: bounded.Name
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

    targets: bounded.Count = 1
    workers: bounded.Count = 1
    processes_per_worker: bounded.Count | None = None
    target_processes: bounded.Count | None = None
    connections_per_worker: bounded.Count = 64
    timeout_s: bounded.Seconds = 10.0
    locust_image: bounded.Name = load_spec.LOCUST_IMAGE
    nginx_image: bounded.Name = load_spec.NGINX_IMAGE
    image_prefix: str = ""
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = (
        "IfNotPresent"
    )
    image_pull_secret_file: bounded.Name | None = None
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

    def spec(self, task: str, iteration: int, bay: str) -> load_spec.LoadSpec:
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
        passed["request"] = request_spec.Request.from_json(self.request)
        passed["pods"] = pod_options.read_all(self.pods)
        if self.processes_per_worker is None:
            passed["processes_per_worker"] = pod_options.whole_cores(
                passed["pods"]["worker"]
            )
        deadlines = passed.pop("deadlines")
        # Its certificate is signed when there is a bay.
        del passed["tls"]
        return load_spec.LoadSpec(
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

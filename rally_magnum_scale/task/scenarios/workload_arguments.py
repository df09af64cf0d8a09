"""Arguments of the load generators and the targets."""

from __future__ import annotations

import dataclasses
from typing import Annotated
from typing import Any
from typing import Literal

from rally.task.scenario import Field
from typing_extensions import TypedDict

from rally_magnum_scale.in_bay import request_spec
from rally_magnum_scale.in_bay.stats.records import Source
from rally_magnum_scale.in_bay.traffic import Traffic
from rally_magnum_scale.runs import pull_secret
from rally_magnum_scale.task.scenarios import signature
from rally_magnum_scale.workload import load_spec
from rally_magnum_scale.workload import pod_options

LOCUST_IMAGE = "locustio/locust:2.47.0"
NGINX_IMAGE = "nginxinc/nginx-unprivileged:1.28-alpine"
NO_TLS = "none"


@signature.closed
class LoadDeadlines(TypedDict, total=False):
    pull_s: signature.Seconds
    start_s: signature.Seconds
    connect_s: signature.Seconds


@signature.closed
class RequestArgument(TypedDict, total=False):
    """The request to the targets, and the expected response."""

    method: signature.Name
    path: signature.Name
    headers: dict[str, str]
    body: str
    expected_status: Annotated[int, Field(ge=200, le=599)]
    expected_body_bytes: Annotated[int, Field(ge=0)]


@signature.closed
class PodArgument(TypedDict, total=False):
    """Resources and placement of the pods of a component."""

    requests: dict[str, str]
    limits: dict[str, str]
    node_selector: dict[str, str]
    tolerations: list[dict[str, Any]]


@signature.closed
class PodsArgument(TypedDict, total=False):
    target: PodArgument
    worker: PodArgument
    master: PodArgument


@dataclasses.dataclass(frozen=True)
class WorkloadArguments:
    """The load generators and the targets.

    :param targets: number of nginx pods that serve requests (default 1)
    :param workers: number of Locust worker pods that send requests
        (default 1)
    :param processes_per_worker: Locust processes in each worker pod, which
        share its connections; by default the whole cores of the worker's
        CPU limit in ``pods``, or 1 without a limit
    :param target_processes: nginx processes in each target; by default one
        for each core of its node
    :param connections_per_worker: keep-alive connections of each worker pod
        (default 64)
    :param timeout_s: timeout of a request in seconds (default 10)
    :param locust_image: image of the Locust master and workers (default
        locustio/locust:2.47.0)
    :param nginx_image: image of the targets (default
        nginxinc/nginx-unprivileged:1.28-alpine)
    :param image_prefix: prefix of both images, followed by a slash, such as
        ``registry.example.org/mirror``
    :param image_pull_policy: Always, IfNotPresent (default) or Never
    :param image_pull_secret_file: path of a Docker ``config.json`` with the
        credentials for the images' registry, on the machine where Rally
        runs
    :param pull_ahead: before the load, pull the images on every node that
        it may use, and time this separately as ``workload.pull_images``
        (default false)
    :param pods: for ``target``, ``worker`` and ``master``: ``requests`` and
        ``limits`` (CPU and memory), ``node_selector`` and ``tolerations``,
        in the form of Kubernetes
    :param spread: how pods of one kind are spread over the nodes: preferred
        (default), required or none
    :param target_address: whether workers send requests to the Service of
        the targets or directly to their pods: service (default) or pod
    :param request: the request and the expected response: ``method``
        (default GET), ``path`` (default /), ``headers``, ``body``,
        ``expected_status`` (default 200) and ``expected_body_bytes``
        (default any)
    :param keep_alive: false opens a new connection for each request, and
        includes the time to connect in its latency;
        ``connections_per_worker`` then limits the connections that are open
        at the same time (default true)
    :param arrivals: arrival of the requests in a step with a rate:
        constant, at even intervals (default), or poisson, at random
        intervals with the same mean
    :param tls: none (default), or bay_ca: the targets serve HTTPS with a
        certificate that Magnum signs with the bay's CA, and the workers
        verify the certificate against that CA
    :param deadlines: ``pull_s``, ``start_s``, until all pods are Ready, and
        ``connect_s``, until all workers have connected; by default they
        grow with the pods
    """

    targets: signature.Count = 1
    workers: signature.Count = 1
    processes_per_worker: signature.Count | None = None
    target_processes: signature.Count | None = None
    connections_per_worker: signature.Count = 64
    timeout_s: signature.Seconds = 10.0
    locust_image: signature.Name = LOCUST_IMAGE
    nginx_image: signature.Name = NGINX_IMAGE
    image_prefix: str = ""
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = (
        "IfNotPresent"
    )
    image_pull_secret_file: signature.Name | None = None
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

    def spec(self, source: Source) -> load_spec.LoadSpec:
        """Return the load of one iteration.

        The certificate of the targets is signed later, when the bay exists.

        :param source: the iteration and the bay, for the records
        :raises ValueError: when an argument is invalid; names the argument
        :raises InvalidInput: when a file is invalid
        """
        pods = pod_options.read_all(self.pods)
        return load_spec.LoadSpec(
            **{
                **self._fields_of(load_spec.LoadSpec),
                "source": source,
                "traffic": self._traffic(pods["worker"]),
                "pods": pods,
                "image_pull_secret": pull_secret.read(
                    self.image_pull_secret_file
                ),
                "deadlines": load_spec.Deadlines(**self.deadlines),
                "tls": None,
                **self._options(),
            }
        )

    def _traffic(self, worker: pod_options.PodOptions) -> Traffic:
        processes = self.processes_per_worker
        if processes is None:
            processes = pod_options.whole_cores(worker)
        return Traffic(
            **{
                **self._fields_of(Traffic),
                "request": request_spec.Request.from_json(self.request),
                "processes_per_worker": processes,
                **self._rates(),
            }
        )

    def _fields_of(self, kind: Any) -> dict[str, Any]:
        """Return the arguments that are also fields of a dataclass."""
        ours = {field.name for field in dataclasses.fields(self)}
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(kind)
            if field.name in ours
        }

    def _rates(self) -> dict[str, Any]:
        """Return the fields of the traffic that define the rates."""
        raise NotImplementedError

    def _options(self) -> dict[str, Any]:
        """Return other fields of the specification, as objects."""
        return {}

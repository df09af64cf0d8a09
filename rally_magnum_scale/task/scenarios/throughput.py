"""How many requests a second a bay serves, and how fast."""

from __future__ import annotations

from typing import Annotated
from typing import NotRequired

from rally.common import logging
from rally.common import validation
from rally.task import atomic
from rally.task.scenario import Field
from typing_extensions import TypedDict

from rally_magnum_scale.measurement import steps as plans
from rally_magnum_scale.runs import load
from rally_magnum_scale.task.scenarios import base
from rally_magnum_scale.workload import manifests

LOG = logging.getLogger(__name__)


class StepArgument(TypedDict):
    """One step of a load, as a task gives it."""

    rate_rps: Annotated[float, Field(gt=0)] | None
    duration_s: Annotated[int, Field(ge=1)]
    ramp_s: NotRequired[Annotated[int, Field(ge=0)]]


@validation.add("magnum_scale_load")
@base.configure("throughput")
class Throughput(base.BayScenario):
    """Create a bay, run a load inside it, and delete it."""

    def run(
        self,
        nodes: Annotated[int, Field(ge=1)],
        steps: list[StepArgument],
        bay_template: str | None = None,
        masters: Annotated[int, Field(ge=1)] = 1,
        keypair: str | None = None,
        labels: dict[str, str] | None = None,
        targets: Annotated[int, Field(ge=1)] = 1,
        workers: Annotated[int, Field(ge=1)] = 1,
        connections_per_worker: Annotated[int, Field(ge=1)] = 64,
        timeout_s: Annotated[float, Field(gt=0)] = 10.0,
        locust_image: str = manifests.LOCUST_IMAGE,
        nginx_image: str = manifests.NGINX_IMAGE,
        image_pull_policy: str = "IfNotPresent",
    ) -> None:
        """Create a bay, run a load inside it, and delete it.

        :param nodes: number of nodes, masters not counted
        :param steps: the load, one step after the other: ``rate_rps``,
            requests a second of all workers together (null for a closed
            loop), held for ``duration_s`` after a ramp of ``ramp_s``
        :param bay_template: name or id of a cluster template (default: the
            only Kubernetes template that the cloud shows)
        :param masters: number of masters (default 1)
        :param keypair: name of a Nova keypair, if the template has none
        :param labels: cluster labels, merged over those of the template
        :param targets: number of nginx pods that are asked (default 1)
        :param workers: number of Locust workers that ask (default 1)
        :param connections_per_worker: keep-alive connections of each worker
            (default 64)
        :param timeout_s: seconds after which a request has failed (default
            10)
        :param locust_image: image of the Locust master and workers (default
            locustio/locust:2.47.0)
        :param nginx_image: image of the targets (default
            nginxinc/nginx-unprivileged:1.28-alpine)
        :param image_pull_policy: Always, IfNotPresent (default) or Never
        """
        plan = plans.Plan.from_json(steps)
        with self.bay(
            nodes,
            template=bay_template,
            masters=masters,
            keypair=keypair,
            labels=labels or {},
        ) as (life, cluster):
            spec = manifests.WorkloadSpec(
                task=self.context["task"]["uuid"],
                iteration=self.context["iteration"],
                bay=life.name,
                plan=plan,
                targets=targets,
                workers=workers,
                connections_per_worker=connections_per_worker,
                timeout_s=timeout_s,
                locust_image=locust_image,
                nginx_image=nginx_image,
                image_pull_policy=image_pull_policy,
            )
            self._load(load.Load(cluster, spec, life.nodes, LOG.info))

    def _load(self, run: load.Load) -> None:
        try:
            with atomic.ActionTimer(self, "workload.deploy"):
                run.deploy()
            with atomic.ActionTimer(self, "workload.run"):
                run.run()
            with atomic.ActionTimer(self, "workload.remove"):
                run.remove()
        finally:
            self.keep(run.all_records())

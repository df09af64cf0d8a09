"""Names and labels of the Kubernetes objects of a load."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rally_magnum_scale.workload import events

LABEL_TASK = "rally-magnum-scale/task"
LABEL_ITERATION = "rally-magnum-scale/iteration"
LABEL_COMPONENT = "rally-magnum-scale/component"
LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGED_BY = "rally-magnum-scale"
# Selects all objects that this package creates in a bay.
MANAGED = f"{LABEL_MANAGED_BY}={MANAGED_BY}"
# Annotation of the namespace: the process that is to remove it.
RUN_BY = "rally-magnum-scale/run-by"


@dataclass(frozen=True)
class Names:
    """The names of the objects of one run.

    :param prefix: ``rms-<8 of the task's id>-<iteration>``
    """

    prefix: str

    @classmethod
    def of(cls, task: str, iteration: int) -> Names:
        """Return the names of one iteration of a task."""
        return cls(f"rms-{_short(task)}-{iteration}")

    @property
    def namespace(self) -> str:
        """The namespace of all other objects."""
        return f"{self.prefix}-load"

    @property
    def code(self) -> str:
        """The ConfigMap with the Locust file and its engine."""
        return f"{self.prefix}-code"

    @property
    def nginx_conf(self) -> str:
        """The ConfigMap with the targets' configuration."""
        return f"{self.prefix}-nginx"

    def nginx_conf_of(self, version: str) -> str:
        """The ConfigMap with the configuration of one version."""
        new = version == events.NEW_VERSION
        return f"{self.nginx_conf}-{version}" if new else self.nginx_conf

    @property
    def pull_secret(self) -> str:
        """The Secret for pulling the images."""
        return f"{self.prefix}-registry"

    @property
    def pull(self) -> str:
        """The DaemonSet that pulls the images before the deployment."""
        return f"{self.prefix}-pull"

    @property
    def target(self) -> str:
        """The targets' Deployment and Service."""
        return f"{self.prefix}-target"

    @property
    def server(self) -> str:
        """The server name in the targets' certificate."""
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


def labels(task: str, iteration: int, component: str = "") -> dict[str, str]:
    """Return the labels of an object.

    :param task: id of the Rally task
    :param iteration: number of the iteration
    :param component: component of the load, or empty for the labels that
        all objects of the run have
    """
    found = {
        LABEL_MANAGED_BY: MANAGED_BY,
        LABEL_TASK: task,
        LABEL_ITERATION: str(iteration),
    }
    if component:
        found[LABEL_COMPONENT] = component
    return found


def _short(task: str) -> str:
    """Return 8 characters of a task's id that are valid in a name."""
    return re.sub(r"[^a-z0-9]", "", task.lower())[:8] or "task"

"""Names and labels of the Kubernetes objects of a load."""

from __future__ import annotations

import re

LABEL_TASK = "rally-magnum-scale/task"
LABEL_ITERATION = "rally-magnum-scale/iteration"
LABEL_COMPONENT = "rally-magnum-scale/component"
LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGED_BY = "rally-magnum-scale"
# Selects all objects that this package creates in a bay.
MANAGED = f"{LABEL_MANAGED_BY}={MANAGED_BY}"
# Annotation of the namespace: the process that is to remove it.
RUN_BY = "rally-magnum-scale/run-by"


class Names:
    """The names of the objects of one run, ``rms-<8 of task>-<iteration>-…``.

    :param task: id of the Rally task
    :param iteration: number of the iteration
    """

    def __init__(self, task: str, iteration: int) -> None:
        short = re.sub(r"[^a-z0-9]", "", task.lower())[:8] or "task"
        prefix = f"rms-{short}-{iteration}"
        # The namespace of all other objects.
        self.namespace = f"{prefix}-load"
        # ConfigMaps: the Locust file with its engine, and that of the targets.
        self.code = f"{prefix}-code"
        self.nginx_conf = f"{prefix}-nginx"
        # Secrets: for pulling the images, and the certificate of the targets.
        self.pull_secret = f"{prefix}-registry"
        self.certificate = f"{prefix}-tls"
        # The DaemonSet that pulls the images before the deployment.
        self.pull = f"{prefix}-pull"
        # The targets' Deployment and Service, the Locust master's Pod and
        # Service, and the workers' Job.
        self.target = f"{prefix}-target"
        self.master = f"{prefix}-master"
        self.worker = f"{prefix}-worker"
        # The server name in the targets' certificate.
        self.server = f"{self.target}.{self.namespace}.svc"

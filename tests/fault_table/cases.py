"""The faults: what injects each, and the task that runs meanwhile."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

from tests.fault_table import acts
from tests.functional import test_in_bay

# What Rally logs at each moment.
CHECKED = "Platform existing@openstack (available: True)"
CREATING = "asking Magnum for the bay"
LOADING = "steady: 100 rps offered"
DELETING = "deleting the bay"
DELETED = "bay gone after"
DEPLOYING = "deploying 1 nginx targets"

CREATE = "create-and-delete.json"
RESIZE = "resize-bay.json"
TEMPLATE = "compare-templates.json"
LOAD = "throughput-in-bay.json"
LOAD_IN_OWN = "2m-rps.json"
_LOAD = {
    **test_in_bay.IN_BAY,
    "concurrency": 1,
    "steps": [{"rate_rps": 100, "duration_s": 12, "ramp_s": 1}],
    "min_rps": 95,
    "min_rps_per_core": 0.01,
    "p99_ms": 5000,
}
ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    CREATE: {"nodes": 1, "max_create_s": 60, "max_delete_s": 60},
    RESIZE: {"nodes": 1, "sizes": [2]},
    TEMPLATE: {"nodes": 1, "times": 1, "variants": [{"name": "plain"}]},
    LOAD: {**_LOAD, **test_in_bay.AS_USER},
    LOAD_IN_OWN: {**_LOAD, "nodes": 1},
}


@dataclasses.dataclass(frozen=True)
class Case:
    """A fault, and the task that meets it.

    :param name: chooses the case on the command line
    :param fault: in words
    :param commands: of ``rally-magnum-sandbox``, in their order; ``BAY``
        stands for the name of the task's bay
    :param act: what injects the fault if no command can
    :param when: words in the task's output at which the fault is injected;
        empty to inject it before the task starts
    :param labels: of the bay; the sandbox fails by them
    :param sample: a key of :data:`ARGUMENTS`; :data:`LOAD` runs in a bay
        that was there before
    :param arguments: of the sample, over those of :data:`ARGUMENTS`
    :param cause: how the fault is injected, if ``commands`` do not say it
    :param spoils: whether no figure of the task may count
    :param next_start: whether what is left is looked for after another task
        has started
    """

    name: str
    fault: str
    commands: tuple[str, ...] = ()
    act: Callable[[acts.Moment], None] | None = None
    when: str = ""
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    sample: str = CREATE
    arguments: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    cause: str = ""
    spoils: bool = False
    next_start: bool = False

    @property
    def injected_by(self) -> str:
        """How the fault is injected, for the table."""
        labels = (f"label {name}={x}" for name, x in self.labels.items())
        return self.cause or "; ".join([*self.commands, *labels])


def _of_magnum() -> list[Case]:
    """Faults of Magnum's API, as a share of requests and for some time."""
    found = []
    for name, words, kind, every in (
        ("500", "answers 500", "500", 3),
        ("502", "answers 502 in HTML", "502 --html", 3),
        ("503", "answers 503", "503", 3),
        ("429", "answers 429 with Retry-After", "429 --retry-after 2", 4),
        ("truncated", "sends half of its answer", "truncated", 3),
        ("reset", "closes the connection", "reset", 3),
        ("late", "answers 30 s late", "late --seconds 30", 8),
    ):
        found += [
            Case(
                f"magnum-{name}",
                f"Magnum {words}, to one request of {every}",
                (f"fault magnum {kind} --every {every}",),
            ),
            Case(
                f"magnum-{name}-for-a-time",
                f"Magnum {words}, for 6 s of a create",
                (f"fault magnum {kind} --for 6",),
                when=CREATING,
            ),
        ]
    return found


def _bay_failed(name: str, fault: str, reason: str) -> Case:
    return Case(
        name, fault, (f"fault bay --create-failed '{reason}'",), spoils=True
    )


CASES = (
    Case("none", "no fault"),
    *_of_magnum(),
    Case(
        "create-unanswered",
        "Magnum creates the bay, but its answer is lost",
        (
            "fault magnum reset --methods POST --path /clusters$ --times 1 "
            "--applied",
        ),
    ),
    Case(
        "template-unanswered",
        "Magnum makes a cluster template, but its answer is lost",
        (
            "fault magnum reset --methods POST --path /clustertemplates$ "
            "--times 1 --applied",
        ),
        sample=TEMPLATE,
    ),
    Case(
        "bay-404-once",
        "Magnum answers 404 once while it deletes the bay",
        ("fault magnum 404 --methods GET --path /clusters/ --times 1",),
        labels={"sandbox_hang_delete": "true"},
        arguments={"deadlines": {"delete_s": 8}},
        when=DELETING,
        spoils=True,
    ),
    Case(
        "resize-503",
        "Magnum answers 503, to one request of 3 of a resize",
        ("fault magnum 503 --every 3 --path /clusters/",),
        sample=RESIZE,
        when="nodes Ready",
    ),
    Case(
        "keystone-at-the-start",
        "Keystone answers 503 twice, at the very start",
        ("fault keystone 503 --times 2",),
    ),
    Case(
        "keystone-503",
        "Keystone answers 503, to one request of 3",
        ("fault keystone 503 --every 3",),
    ),
    Case(
        "keystone-in-users",
        "Keystone answers 503 for 4 s, while Rally makes users",
        ("fault keystone 503 --for 4",),
        when=CHECKED,
    ),
    Case(
        "keystone-in-create",
        "Keystone answers 503 for 4 s, while a bay is created",
        ("fault keystone 503 --for 4",),
        when=CREATING,
    ),
    Case(
        "keystone-in-cleanup",
        "Keystone answers 503 for 8 s, while Rally removes users",
        ("fault keystone 503 --for 8",),
        # Earlier, Magnum itself would not remove its trustee of the bay.
        when=DELETED,
    ),
    Case(
        "nova-500",
        "Nova answers 500 while a bay is created",
        ("fault stub 500 --path ^/compute/ --for 6",),
        when=CREATING,
    ),
    Case(
        "neutron-500",
        "Neutron answers 500 while a bay is created",
        ("fault stub 500 --path ^/network/ --for 6",),
        when=CREATING,
    ),
    _bay_failed(
        "create-failed-heat",
        "CREATE_FAILED: the request to Heat is too big",
        "JSON body size (1152921 bytes) exceeds maximum allowed size",
    ),
    _bay_failed(
        "create-failed-quota",
        "CREATE_FAILED: Nova's quota is used up",
        "Quota exceeded for cores: Requested 4, but already used 100 of 100",
    ),
    _bay_failed(
        "create-failed-host",
        "CREATE_FAILED: Nova finds no host",
        "No valid host was found. There are not enough hosts available.",
    ),
    Case(
        "delete-failed",
        "DELETE_FAILED",
        ("fault bay --delete-failed 'volume is in use'",),
        spoils=True,
    ),
    Case(
        "create-hangs",
        "the create never ends",
        labels={"sandbox_hang_create": "true"},
        arguments={"deadlines": {"create_s": 8}},
        spoils=True,
    ),
    Case(
        "delete-hangs",
        "the delete never ends",
        labels={"sandbox_hang_delete": "true"},
        arguments={"deadlines": {"delete_s": 8}},
        spoils=True,
    ),
    Case(
        "unready-node",
        "one of two nodes never becomes Ready",
        labels={"sandbox_unready_nodes": "1"},
        arguments={"nodes": 2, "deadlines": {"nodes_ready_s": 8}},
        spoils=True,
    ),
    Case(
        "conductor",
        "Magnum is killed during a create, and starts again",
        ("fault kill conductor --while-creating", "up"),
        when=CREATING,
    ),
    Case(
        "ctrl-c",
        "Ctrl-C during a create",
        act=acts.interrupt_create,
        when=CREATING,
        cause="kill -INT of rally",
        spoils=True,
    ),
    Case(
        "kill-9",
        "kill -9 during a create, and the next start",
        act=acts.kill_in_create,
        when=CREATING,
        cause="kill -KILL of rally and its workers",
        spoils=True,
        next_start=True,
    ),
    Case("load-none", "no fault, a load in a bay", sample=LOAD),
    Case(
        "api-server",
        "the bay's API server restarts during a load",
        ("fault restart apiserver BAY",),
        sample=LOAD,
        when=LOADING,
    ),
    Case(
        "kubelet",
        "the node's kubelet stops during a load, and starts again",
        ("fault stop kubelet BAY", "up"),
        sample=LOAD,
        when=LOADING,
    ),
    Case(
        "kubelet-for-good",
        "the node's kubelet stops during a load, for good",
        ("fault stop kubelet BAY",),
        sample=LOAD_IN_OWN,
        when=LOADING,
        spoils=True,
    ),
    Case(
        "locust-master",
        "the Locust master is killed during a load",
        act=acts.kill_locust("--master"),
        sample=LOAD,
        when=LOADING,
        cause="kill -KILL of the master",
        spoils=True,
    ),
    Case(
        "locust-worker",
        "a Locust worker is killed during a load",
        act=acts.kill_locust("--worker"),
        sample=LOAD,
        when=LOADING,
        cause="kill -KILL of the worker",
        spoils=True,
    ),
    Case(
        "target",
        "the only target is killed during a load",
        act=acts.kill_targets,
        sample=LOAD,
        when=LOADING,
        cause="kill -KILL of nginx",
    ),
    Case(
        "pods-refused",
        "Kubernetes may not create the worker's pod",
        act=acts.limit_pods,
        sample=LOAD,
        arguments={"deadlines": {"start_s": 15}},
        when=DEPLOYING,
        cause="ResourceQuota of 2 pods",
        spoils=True,
    ),
    Case(
        "no-image",
        "the targets' image does not exist",
        sample=LOAD,
        arguments={
            "nginx_image": "rally-magnum-sandbox/nginx:0",
            "deadlines": {"start_s": 60},
        },
        cause="nginx_image: rally-magnum-sandbox/nginx:0",
        spoils=True,
    ),
    Case(
        "ctrl-c-in-a-load",
        "Ctrl-C during a load",
        act=acts.interrupt,
        sample=LOAD,
        when=LOADING,
        cause="kill -INT of rally",
        spoils=True,
    ),
)

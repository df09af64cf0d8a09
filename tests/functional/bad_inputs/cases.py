"""What can be wrong with a task, and what its sentence must say."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from typing import Any

from tests.functional import conftest
from tests.functional.bad_inputs import faults

USERS = {"users@openstack": {"tenants": 1, "users_per_tenant": 1}}
STEPS = [{"rate_rps": 200, "duration_s": 4, "ramp_s": 1}]
IMAGES = {
    "locust_image": "rally-magnum-sandbox/locust:2.47.0",
    "nginx_image": "rally-magnum-sandbox/nginx:1.22",
}
LOAD = {"nodes": 2, "steps": STEPS, **IMAGES}

Around = Callable[[conftest.Sandbox], contextlib.AbstractContextManager[None]]
Meanwhile = Callable[[conftest.Sandbox], None]


def nothing(_: conftest.Sandbox) -> contextlib.AbstractContextManager[None]:
    """Leave the cloud as it is."""
    return contextlib.nullcontext()


@dataclasses.dataclass(frozen=True)
class Case:
    """One wrong input.

    :param name: what is wrong, in words
    :param says: a pattern of what the sentence must say
    :param scenario: after ``MagnumScale.``
    :param args: of the scenario
    :param contexts: beside Rally's users
    :param sla: criteria beside Rally's own
    :param runner: Rally's, for what needs several iterations
    :param around: changes the cloud, and changes it back
    :param when: words of the output at which ``meanwhile`` is called
    :param env: changes of the Rally environment's spec
    :param long: whether only ``make test-all`` runs it, since another test
        causes the same
    """

    name: str
    says: str
    scenario: str = "create_and_delete_bay"
    args: dict[str, Any] = dataclasses.field(default_factory=dict)
    contexts: dict[str, Any] = dataclasses.field(default_factory=dict)
    sla: dict[str, Any] = dataclasses.field(default_factory=dict)
    runner: dict[str, Any] = dataclasses.field(
        default_factory=lambda: {"serial": {"times": 1}}
    )
    around: Around = nothing
    when: str = ""
    meanwhile: Meanwhile | None = None
    env: dict[str, Any] = dataclasses.field(default_factory=dict)
    long: bool = False

    @property
    def changes_the_cloud(self) -> bool:
        """Whether others that use the cloud meanwhile would notice."""
        return self.around is not nothing or self.meanwhile is not None

    def task(self) -> dict[str, Any]:
        """Return the task as Rally reads it."""
        subtask = {
            "title": self.name,
            "scenario": {f"MagnumScale.{self.scenario}": self.args},
            "runner": self.runner,
            "contexts": {**USERS, **self.contexts},
            "sla": {"failure_rate": {"max": 0}, **self.sla},
        }
        return {"version": 2, "title": self.name, "subtasks": [subtask]}


def load(name: str, says: str, **changes: Any) -> Case:
    """Return a case of the scenario with a load in its bay."""
    args = {**LOAD, **changes.pop("args", {})}
    return Case(name, says, scenario="throughput", args=args, **changes)


def labelled(
    name: str,
    says: str,
    labels: dict[str, str],
    *,
    long: bool = False,
    **args: Any,
) -> Case:
    """Return a case that the sandbox's driver causes, asked by label."""
    args = {"nodes": 2, "labels": labels, **args}
    return Case(name, says, args=args, long=long)


def _template(**fields: str) -> dict[str, Any]:
    """Return the context that makes a template like the sandbox's own."""
    template = {"name": "odd", "from": "kubernetes", **fields}
    return {"bay_templates@openstack": {"templates": [template]}}


CASES = (
    Case(
        "a wrong type",
        r"nodes.*'five' is not of type 'integer'",
        args={"nodes": "five"},
    ),
    Case("an unknown key", r"nodez", args={"nodes": 2, "nodez": 3}),
    Case(
        "a criterion that never has data",
        r"sla\.request_rate: .*create_and_delete_bay measures nothing",
        args={"nodes": 2},
        sla={"request_rate": {"min_rps": 1}},
    ),
    load(
        "a rate above the offer",
        r"sla\.request_rate\.min_rps: 201 rps can't be reached with steps",
        sla={"request_rate": {"min_rps": 201}},
    ),
    load(
        "an unknown key of a step",
        r"rate_rsp",
        args={"steps": [{"rate_rsp": 5, "duration_s": 5}]},
    ),
    load(
        "an unknown key of the pods' options",
        r"pods.*cpu",
        args={"pods": {"worker": {"cpu": "2"}}},
    ),
    Case(
        "no node", r"nodes.*0 is less than the minimum of 1", args={"nodes": 0}
    ),
    load(
        "no step",
        r"steps: the list is empty, give at least one",
        args={"steps": []},
    ),
    load(
        "a rate of 0",
        r"rate_rps.*0",
        args={"steps": [{"rate_rps": 0, "duration_s": 5}]},
    ),
    Case(
        "an unknown key of an update",
        r"update.*max_serge",
        scenario="rolling_update_under_load",
        args={**LOAD, "update": {"at_s": 1, "max_serge": 1}},
    ),
    load(
        "a fault after the load has ended",
        r"faults\[0\]\.at_s: 7 s",
        args={"faults": [{"how": "stop", "at_s": 7}]},
    ),
    load(
        "a fault where nodes have nothing to spare",
        r"faults\[0\]: .* needs 1 nodes, but only 0 more run targets",
        args={"faults": [{"how": "stop", "at_s": 1}]},
    ),
    load(
        "a quantity that is none",
        r"pods\.worker\.limits\.cpu.*2x",
        args={"pods": {"worker": {"limits": {"cpu": "2x"}}}},
    ),
    load(
        "a pull secret's file that is not there",
        r"image_pull_secret_file.*nowhere",
        args={"image_pull_secret_file": "nowhere/config.json"},
    ),
    load(
        "a Locust file that is not there",
        r"locust_file: nowhere/load\.py can't be read",
        args={"locust_file": "nowhere/load.py", "users": 5},
    ),
    load(
        "a Locust file that is none",
        r"locust_file: it is not Python",
        args={"locust_file": "README.md", "users": 5},
    ),
    load(
        "a Locust file in a load with a rate",
        r"steps\[0\]\.rate_rps: must be null with locust_file",
        args={"locust_file": "samples/locust/visitors.py", "users": 5},
    ),
    Case(
        "a size that the bay has already",
        r"sizes\[0\]: the bay has 2 nodes already",
        scenario="resize_bay",
        args={"nodes": 2, "sizes": [2]},
    ),
    Case(
        "more nodes to replace than there are",
        r"count: 3 nodes can't be replaced in a bay of 2",
        scenario="replace_nodes",
        args={"nodes": 2, "count": 3},
    ),
    Case(
        "a resize that fails",
        r"UPDATE_FAILED during its resize to 3 nodes: No valid host",
        scenario="resize_bay",
        args={
            "nodes": 2,
            "sizes": [3],
            "labels": {"sandbox_fail_resize": "No valid host"},
        },
        long=True,
    ),
    Case(
        "nodes that the driver does not replace",
        r"still there and Ready, though named for removal: .*driver ignored",
        scenario="replace_nodes",
        args={
            "nodes": 2,
            "count": 1,
            "labels": {"sandbox_ignore_nodes_to_remove": "true"},
            "deadlines": {"settle_s": 3},
        },
        long=True,
    ),
    Case(
        "a search without a bound",
        r"bounds: give at least one of p50_ms",
        scenario="find_max_rate",
        args={"nodes": 2, "bounds": {}, **IMAGES},
    ),
    Case(
        "a search that begins above its end",
        r"start_rps: 900 is above max_rps, 500",
        scenario="find_max_rate",
        args={
            "nodes": 2,
            "bounds": {"p99_ms": 50},
            "start_rps": 900,
            "max_rps": 500,
            **IMAGES,
        },
    ),
    Case(
        "no bay to use",
        r"is selected by nothing",
        scenario="throughput_in_bay",
        args={"steps": STEPS, **IMAGES},
    ),
    Case(
        "a bay that does not exist",
        r"nowhere",
        scenario="throughput_in_bay",
        args={"steps": STEPS, "bay": "nowhere", **IMAGES},
    ),
    Case(
        "a kubeconfig that is not there",
        r"kubeconfig.*nowhere",
        scenario="throughput_in_bay",
        args={"steps": STEPS, "kubeconfig": "nowhere/config", **IMAGES},
    ),
    Case(
        "no template",
        r"0 cluster templates fit.*set bay_template",
        args={"nodes": 2},
        around=faults.no_template,
    ),
    Case(
        "several templates",
        r"2 cluster templates fit.*set bay_template.*second",
        args={"nodes": 2},
        around=faults.second_template,
    ),
    Case(
        "a template that does not exist",
        r"bay_template is 'nope'.*kubernetes",
        args={"nodes": 2, "bay_template": "nope"},
    ),
    Case(
        "an image that does not exist",
        r"[Ii]mage.*nope",
        args={"nodes": 2, "bay_template": "odd"},
        contexts=_template(image="nope"),
    ),
    Case(
        "a keypair that does not exist",
        r"[Kk]ey ?pair.*nope",
        args={"nodes": 2, "keypair": "nope"},
    ),
    Case(
        "a network that does not exist",
        r"[Nn]etwork.*nope",
        args={"nodes": 2, "network": "nope"},
    ),
    load(
        "an image that can't be pulled",
        r"rally-magnum-sandbox/none:1.*(ErrImage|ImagePullBackOff)",
        args={
            "nginx_image": "rally-magnum-sandbox/none:1",
            "image_pull_policy": "Never",
        },
    ),
    load(
        "an image that can't be pulled ahead",
        r"rally-magnum-sandbox/none:1.*(ErrImage|ImagePullBackOff)",
        args={
            "nginx_image": "rally-magnum-sandbox/none:1",
            "image_pull_policy": "Never",
            "pull_ahead": True,
        },
    ),
    Case(
        "an unreachable cloud",
        r"Unable to establish connection",
        args={"nodes": 2},
        env={"auth_url": "http://127.0.0.1:1/v3"},
    ),
    Case(
        "wrong credentials",
        r"Failed to authenticate.*'admin'",
        args={"nodes": 2},
        env={"password": "wrong"},
    ),
    Case(
        "a quota too small",
        r"[Qq]uota|limit for Cluster",
        args={"nodes": 2},
        contexts={"bay_quotas@openstack": {"bays": 1}},
        runner={"constant": {"times": 2, "concurrency": 2}},
    ),
    Case(
        "a COE that is not Kubernetes",
        r"swarm",
        args={"nodes": 2, "bay_template": "odd"},
        contexts=_template(coe="swarm"),
    ),
    labelled(
        "a bay that fails to create",
        r"CREATE_FAILED.*No valid host was found",
        {"sandbox_fail_create": "No valid host was found for minion 7"},
        long=True,
    ),
    labelled(
        "a bay that never completes",
        r"Gave up waiting for Magnum to complete the bay.*4 s",
        {"sandbox_hang_create": "true"},
        deadlines={"create_s": 4},
    ),
    labelled(
        "nodes that never become Ready",
        r"Gave up waiting for 2 nodes to be Ready.*1 of 2 Ready",
        {"sandbox_unready_nodes": "1"},
        deadlines={"nodes_ready_s": 4},
    ),
    load(
        "a target that can't be scheduled",
        r"not scheduled.*[Ii]nsufficient cpu",
        args={
            "pods": {"target": {"requests": {"cpu": "1000"}}},
            "deadlines": {"start_s": 5},
        },
    ),
    load(
        "a target that never answers",
        r"has no figures: no request was answered",
        args={"timeout_s": 1},
        when="starting 1 Locust workers",
        meanwhile=faults.stop_targets,
    ),
    load(
        "a worker that never connects",
        r"has no figures: 1 of 1 workers did not connect",
        args={"deadlines": {"connect_s": 8}},
        when="starting 1 Locust workers",
        meanwhile=faults.stop_workers,
    ),
    load(
        "a master that dies",
        r"Locust master ended before",
        args={"steps": [{"rate_rps": 200, "duration_s": 30}]},
        when="steady: 200 rps offered",
        meanwhile=faults.kill_master,
        long=True,
    ),
    labelled(
        "a delete that fails",
        r"DELETE_FAILED.*volume is in use",
        {"sandbox_fail_delete": "The volume is in use"},
        long=True,
    ),
    labelled(
        "a delete that never ends",
        r"Gave up waiting for Magnum to delete the bay.*4 s",
        {"sandbox_hang_delete": "true"},
        deadlines={"delete_s": 4},
    ),
)

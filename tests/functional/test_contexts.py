"""The contexts of bays, templates and quotas on a real Magnum."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rally_magnum_scale.task import output
from tests.functional import conftest
from tests.functional import test_tasks

TWO_TENANTS = {"tenants": 2, "users_per_tenant": 1}
ONE_TENANT = {"tenants": 1, "users_per_tenant": 1}
PLAIN = {"templates": [{"name": "plain", "from": None}]}


class Runs:
    """Runs tasks, and knows what they made by its names.

    :param sandbox: that they run on
    """

    def __init__(self, sandbox: conftest.Sandbox) -> None:
        self.sandbox = sandbox
        self._said: list[str] = []

    def start(
        self, file: Path | str, arguments: dict[str, Any] | None = None
    ) -> test_tasks.Ran:
        """Run a task to its end and read its results."""
        ran = test_tasks.start(self.sandbox, str(file), arguments or {})
        self.note(ran.said)
        return ran

    def note(self, said: str) -> None:
        """Take note of the names in the output of a task."""
        self._said.append(said)

    def left(self) -> list[str]:
        """Return the bays and templates of these tasks that exist still."""
        made = r"(?:the bay|the cluster template '\w+':) (rms-[0-9a-f]{8}-)"
        own = set(re.findall(made, "".join(self._said)))
        shown = [
            each["name"]
            for kind in ("clusters", "clustertemplates")
            for each in self.sandbox.magnum().get(f"/{kind}").json()[kind]
        ]
        return [name for name in shown if name.startswith(tuple(own))]


@pytest.fixture
def runs(sandbox: conftest.Sandbox) -> Iterator[Runs]:
    """Tasks that must leave neither a bay nor a template behind."""
    tracked = Runs(sandbox)
    yield tracked
    assert tracked.left() == []


def task(
    folder: Path,
    contexts: dict[str, Any],
    runner: dict[str, Any] | None = None,
    **arguments: Any,
) -> Path:
    """Write a task of bays of two nodes with these contexts."""
    workload = {
        "title": "contexts",
        "scenario": {
            "MagnumScale.create_and_delete_bay": {"nodes": 2, **arguments}
        },
        "runner": runner or {"constant": {"times": 1, "concurrency": 1}},
        "contexts": {"users@openstack": ONE_TENANT, **contexts},
        "sla": {"failure_rate": {"max": 0}},
    }
    file = folder / "task.json"
    content = {"version": 2, "title": "contexts", "subtasks": [workload]}
    file.write_text(json.dumps(content))
    return file


def actions(ran: test_tasks.Ran, context: str, phase: str) -> dict[str, int]:
    """Count the actions of a context that ended well, by name."""
    (found,) = (
        each[phase]
        for each in ran.workload["contexts_results"]
        if each["plugin_name"] == f"{context}@openstack"
    )
    good = [a["name"] for a in found["atomic_actions"] if not a.get("failed")]
    return {name: good.count(name) for name in good}


def test_bays_of_several_tenants_are_made_kept_and_removed(
    runs: Runs, tmp_path: Path
) -> None:
    bays = {"nodes": 2, "count": 2, "concurrency": 2, "bay_template": "plain"}
    contexts = {
        "users@openstack": TWO_TENANTS,
        "bay_quotas@openstack": {"bays": 4},
        "bay_templates@openstack": PLAIN,
        "bays@openstack": bays,
    }
    ran = runs.start(task(tmp_path, contexts, bay_template="plain"))
    assert ran.status == 0, ran.said
    made = actions(ran, "bays", "setup")
    assert made == {"magnum.create_bay": 4, "kubernetes.wait_for_nodes": 4}
    assert actions(ran, "bays", "cleanup") == {"magnum.delete_bay": 4}
    # Nothing took them away under the iterations, and Rally's own cleanup
    # left them to the context.
    assert "which was left behind" not in ran.said, ran.said
    over = ran.said.index("ITER: 1 END: OK")
    gone = [m.start() for m in re.finditer("bay gone after", ran.said)]
    assert len([at for at in gone if at > over]) == 4


def test_templates_that_differ_by_a_label_are_compared_in_one_task(
    runs: Runs,
) -> None:
    variants = [
        {"name": "one", "labels": {"sandbox_real_nodes": "1"}},
        {"name": "two", "labels": {"sandbox_real_nodes": "2"}},
    ]
    ran = runs.start(
        "compare-templates.json",
        {"nodes": 3, "times": 1, "variants": variants},
    )
    assert ran.status == 0, ran.said
    workloads = [
        workload
        for subtask in ran.result["subtasks"]
        for workload in subtask["workloads"]
    ]
    real = [
        output.read_run(each).bays[0].nodes_real
        for workload in workloads
        for each in workload["data"]
    ]
    assert real == [1, 2]
    for workload in workloads:
        held = {
            each["criterion"]: each["success"]
            for each in workload["sla_results"]["sla"]
        }
        assert held["driver_lag"], held


def test_two_iterations_at_once_in_one_tenant(
    runs: Runs, tmp_path: Path
) -> None:
    contexts = {
        "bay_quotas@openstack": {"bays": 2},
        "bay_templates@openstack": PLAIN,
    }
    runner = {"constant": {"times": 2, "concurrency": 2}}
    ran = runs.start(task(tmp_path, contexts, runner, bay_template="plain"))
    assert ran.status == 0, ran.said
    assert [run.bay.status for run in ran.runs() if run.bay] == ["GONE"] * 2


@pytest.mark.parametrize(
    ("quota", "count", "words"),
    [
        (2, 2, "bay_quotas allows 2 bays .* 2 for the context bays and 1 for"),
        (None, 21, "needs 21 bays in the project .* leaves room for 20"),
    ],
)
def test_a_quota_that_is_too_small_is_told_before_the_first_bay(
    runs: Runs, tmp_path: Path, quota: int | None, count: int, words: str
) -> None:
    contexts: dict[str, Any] = {"bays@openstack": {"nodes": 2, "count": count}}
    if quota is not None:
        contexts["bay_quotas@openstack"] = {"bays": quota}
    file = task(tmp_path, contexts)
    done = runs.sandbox.rally("task", "start", str(file))
    said = done.stdout + done.stderr
    runs.note(said)
    assert done.returncode != 0
    assert re.search(words, said), said
    assert "asking Magnum for the bay" not in said


def test_a_quota_that_is_used_up_on_the_way_is_one_sentence(
    runs: Runs, tmp_path: Path
) -> None:
    # Nobody can know how many of these iterations go on at once.
    runner = {"rps": {"rps": 0.25, "times": 2}}
    contexts = {"bay_quotas@openstack": {"bays": 1}}
    ran = runs.start(task(tmp_path, contexts, runner))
    assert ran.status != 0
    (error,) = ran.errors
    assert re.search(
        "refused to create the bay rms-.* maximum clusters per project, 1",
        error,
    ), error


@pytest.mark.parametrize(
    ("template", "words"),
    [
        pytest.param(
            {"image": "no-such-image"},
            "'broken' because its image 'no-such-image' does not exist",
            marks=pytest.mark.long,
        ),
        (
            {"from": None, "flavor": "no-such-flavor"},
            r"'broken' because of its key 'flavor' \('no-such-flavor'\)",
        ),
        (
            {"from": None, "external_network": "nowhere"},
            "'broken' because of its key 'external_network'",
        ),
        ({"from": None, "keypair": "lost"}, "no keypair 'lost'"),
    ],
)
def test_a_template_that_magnum_refuses_names_its_key(
    runs: Runs, tmp_path: Path, template: dict[str, Any], words: str
) -> None:
    broken = {"name": "broken", **template}
    contexts = {
        "bay_templates@openstack": {"templates": [*PLAIN["templates"], broken]}
    }
    ran = runs.start(task(tmp_path, contexts, bay_template="broken"))
    assert ran.status != 0
    assert re.search(words, ran.said), ran.said
    assert "asking Magnum for the bay" not in ran.said


def test_when_one_bay_fails_all_are_removed_and_the_reason_is_told(
    runs: Runs, tmp_path: Path
) -> None:
    reason = "No valid host was found for master 0"
    bays = [
        {"nodes": 2},
        {"nodes": 2, "labels": {"sandbox_fail_create": reason}},
        {"nodes": 2},
    ]
    contexts = {"bays@openstack": {"bays": bays, "concurrency": 2}}
    ran = runs.start(task(tmp_path, contexts))
    assert ran.status != 0
    assert "BayCreateFailed: The bay rms-" in ran.said
    assert reason in ran.said
    assert "ITER: 1 START" not in ran.said
    assert "bay gone after" in ran.said


def test_an_interrupted_set_up_removes_what_it_made(
    runs: Runs, tmp_path: Path
) -> None:
    contexts = {"bays@openstack": {"nodes": 2, "count": 3, "concurrency": 2}}
    out = tmp_path / "out"
    file = str(task(tmp_path, contexts))
    with test_tasks.started(runs.sandbox, file, {}, out) as process:
        test_tasks.wait_for_words(out, "bay complete after")
        process.send_signal(signal.SIGINT)
        status = process.wait(240)
    said = out.read_text()
    runs.note(said)
    assert status != 0
    assert "interrupted by SIGINT" in said
    assert "ITER: 1 START" not in said

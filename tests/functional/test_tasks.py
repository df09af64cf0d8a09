"""Our scenarios on a real Magnum, with the real Rally command."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from rally_magnum_scale import retries
from rally_magnum_scale import waiting
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.measurement import verdicts
from rally_magnum_scale.task import output
from tests.functional import conftest
from tests.functional import processes

SAMPLES = conftest.CHECKOUT / "samples"
ARGUMENTS = json.loads((SAMPLES / "args/sandbox.json").read_text())

# The whole way, but short.
SMALL = {
    **ARGUMENTS,
    "nodes": 5,
    "steps": [
        {"rate_rps": 500, "duration_s": 3, "ramp_s": 1},
        {"rate_rps": 1000, "duration_s": 4, "ramp_s": 1},
    ],
    "min_rps": 990,
    "min_rps_per_core": 10,
}
LONG = {
    **SMALL,
    "steps": [{"rate_rps": 500, "duration_s": 300, "ramp_s": 1}],
    "min_rps": 490,
}


@dataclasses.dataclass(frozen=True)
class Ran:
    """A task that was run.

    :param status: exit status of ``rally task start``
    :param said: its output
    :param result: the task as ``rally task report --json`` gives it
    """

    uuid: str
    status: int
    said: str
    result: dict[str, Any]

    @property
    def workload(self) -> dict[str, Any]:
        return self.result["subtasks"][0]["workloads"][0]

    @property
    def sla(self) -> dict[str, dict[str, Any]]:
        found = self.workload["sla_results"]["sla"]
        return {each["criterion"]: each for each in found}

    @property
    def errors(self) -> list[str]:
        return [e["error"][1] for e in self.workload["data"] if e["error"]]

    def runs(self) -> list[records.Run]:
        return [output.read_run(each) for each in self.workload["data"]]


def start(
    sandbox: conftest.Sandbox,
    sample: str,
    arguments: dict[str, Any],
    *,
    environment: str | None = None,
    folder: Path = conftest.CHECKOUT,
) -> Ran:
    """Run a sample to its end and read its results.

    :param environment: of Rally, None for the sandbox's own
    :param folder: where the task is started
    """
    own = ["--env", environment] if environment else []
    done = sandbox.rally(*command(sample, arguments), *own, folder=folder)
    said = done.stdout + done.stderr
    return result_of(sandbox, task_of(said), done.returncode, said)


def result_of(
    sandbox: conftest.Sandbox, task: str, status: int = 0, said: str = ""
) -> Ran:
    """Read the results of a task."""
    report = sandbox.rally("task", "report", "--json", task)
    result = json.loads(report.stdout[report.stdout.index("{") :])
    return Ran(task, status, said, result["tasks"][0])


def task_of(said: str) -> str:
    """Find the id of the task in what ``rally task start`` said."""
    found = re.search(r"Task .*?([0-9a-f-]{36}): started", said)
    assert found, said
    return found[1]


def command(sample: str, arguments: dict[str, Any]) -> list[str]:
    """Return the arguments of ``rally`` that start a sample."""
    return [
        *("task", "start", str(SAMPLES / "tasks" / sample)),
        *("--task-args", json.dumps(arguments)),
    ]


def bays(sandbox: conftest.Sandbox) -> list[str]:
    """Return the names of all bays of the cloud."""
    found = sandbox.command("status").stdout
    return [line for line in found.splitlines() if "rms-" in line]


@pytest.fixture
def clean(sandbox: conftest.Sandbox) -> Iterator[conftest.Sandbox]:
    """A test that must leave no bay behind."""
    yield sandbox
    assert bays(sandbox) == []


def assert_same_verdicts(ran: Ran) -> None:
    """Compare what the report judges with what Rally stored."""
    judged = verdicts.judge_all(ran.workload["sla"], ran.runs())
    asked = verdicts.CRITERIA.keys() & ran.sla.keys()
    assert asked
    for name in asked:
        ours = all(v.passed for v in judged if v.criterion == name)
        assert ours == ran.sla[name]["success"], name


def export(sandbox: conftest.Sandbox, task: str, kind: str) -> str:
    """Return an export of a task as text."""
    done = sandbox.rally("task", "export", "--uuid", task, "--type", kind)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_failed_create_gives_magnums_reason(clean: conftest.Sandbox) -> None:
    reason = "No valid host was found for master 0"
    ran = start(
        clean,
        "create-and-delete.json",
        {"nodes": 2, "labels": {"sandbox_fail_create": reason}},
    )
    assert ran.status != 0
    assert reason in ran.errors[0]
    assert not ran.sla["bay_create_time"]["success"]
    (run,) = ran.runs()
    assert run.bay is not None
    assert run.bay.failure == "capacity"


def test_a_failed_delete_is_an_error_and_is_tried_again(
    clean: conftest.Sandbox,
) -> None:
    ran = start(
        clean,
        "create-and-delete.json",
        {"nodes": 2, "labels": {"sandbox_fail_delete": "volume is in use"}},
    )
    assert ran.status != 0
    assert "volume is in use" in ran.errors[0]
    assert not ran.sla["bay_delete_time"]["success"]
    assert "Removing the bay" in ran.said


@pytest.mark.parametrize(
    ("sample", "arguments", "when", "number"),
    [
        (
            "2m-rps.json",
            {**LONG, "times": 3},
            "steady: 500 rps offered",
            signal.SIGINT,
        ),
        (
            "create-and-delete.json",
            {"nodes": 100, "times": 6, "concurrency": 2},
            "asking Magnum for the bay",
            signal.SIGTERM,
        ),
    ],
    ids=["one", "two at once"],
)
def test_an_interrupted_task_removes_its_bays(
    clean: conftest.Sandbox,
    tmp_path: Path,
    sample: str,
    arguments: dict[str, Any],
    when: str,
    number: signal.Signals,
) -> None:
    with started(clean, sample, arguments, tmp_path / "said") as process:
        wait_for_words(tmp_path / "said", when)
        os.kill(rally_pid(process), number)
        status = process.wait(120)
    said = (tmp_path / "said").read_text()
    assert status != 0, said
    assert f"interrupted by {number.name}" in said
    starts = re.findall(r"ITER: \d+ START", said)
    assert len(starts) == arguments.get("concurrency", 1), said


def test_down_after_kill_9_in_a_load_leaves_nothing(
    sandbox: conftest.Sandbox, tmp_path: Path
) -> None:
    said = tmp_path / "said"
    try:
        with started(sandbox, "2m-rps.json", LONG, said) as process:
            wait_for_words(said, "steady: 500 rps offered")
            os.kill(rally_pid(process), signal.SIGKILL)
            process.wait(30)
        assert bays(sandbox) != []
        sandbox.down()
        # The orphaned worker first tries to remove its load and its bay: as
        # long as each request is sent again.
        deadline_s = 4 * retries.PATIENCE_S
        left = conftest.host_state.settle(sandbox.before, deadline_s)
        assert left == []
    finally:
        sandbox.up()


@contextlib.contextmanager
def started(
    sandbox: conftest.Sandbox,
    sample: str,
    arguments: dict[str, Any],
    said: Path,
    environment: str | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a task; what of it still runs at the end is killed.

    :param environment: as in :func:`start`
    """
    own = ["--env", environment] if environment else []
    task = ["rally", *command(sample, arguments), *own]
    with said.open("w") as out:
        process = subprocess.Popen(
            [conftest.PROGRAM, "run", "--", *task],
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=conftest.CHECKOUT,
        )
    family = psutil.Process(process.pid)
    try:
        yield process
    finally:
        if process.poll() is None:
            for one in [*family.children(recursive=True), family]:
                one.kill()
        process.wait(30)


def in_pods(sandbox: conftest.Sandbox, role: str) -> list[psutil.Process]:
    """Return the Locust processes of a role in the bays' pods.

    :param role: ``--master`` or ``--worker``, as Locust is told
    """
    found = processes.find(sandbox.settings.bays_cgroup, role)
    assert found, role
    return found


def kill(
    process: subprocess.Popen[bytes], *, only_the_parent: bool = False
) -> None:
    """Kill Rally with SIGKILL, and see all its workers go.

    :param only_the_parent: leave it to the workers to clean up and end
    """
    rally = psutil.Process(rally_pid(process))
    workers = rally.children(recursive=True)
    for one in [rally] if only_the_parent else [rally, *workers]:
        one.kill()
    assert psutil.wait_procs([rally, *workers], timeout=180)[1] == []


def rally_pid(process: subprocess.Popen[bytes]) -> int:
    """Return the process of Rally itself, below ``run`` or in its place."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    below = [int(pid) for pid in children.read_text().split()]
    command_line = Path(f"/proc/{process.pid}/cmdline").read_text()
    return process.pid if "task\0start" in command_line else below[0]


def wait_for_words(path: Path, words: str) -> None:
    waiting.wait_for(
        lambda: words in path.read_text() or None,
        what=f"{words!r} in the task's output",
        deadline_s=180,
        interval_s=0.2,
        progress=lambda: path.read_text()[-2000:],
        sleep=time.sleep,
    )

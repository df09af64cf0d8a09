"""Faults that no command of the sandbox injects."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable

import psutil

from rally_magnum_sandbox import status
from rally_magnum_sandbox.bay import cgroups
from rally_magnum_sandbox.servers import bay_folder
from rally_magnum_scale import waiting
from tests.fault_table import remains
from tests.functional import conftest
from tests.functional import test_tasks


@dataclasses.dataclass(frozen=True)
class Moment:
    """The moment of a task at which a fault is injected.

    :param process: that runs the task
    """

    sandbox: conftest.Sandbox
    process: subprocess.Popen[bytes]


def interrupt(moment: Moment) -> None:
    """Send Rally what Ctrl-C sends."""
    os.kill(test_tasks.rally_pid(moment.process), signal.SIGINT)


def interrupt_create(moment: Moment) -> None:
    """Interrupt Rally once its bay is CREATE_IN_PROGRESS."""
    _wait_for_create(moment)
    interrupt(moment)


def kill_in_create(moment: Moment) -> None:
    """Kill Rally and its workers once their bay is CREATE_IN_PROGRESS."""
    _wait_for_create(moment)
    test_tasks.kill(moment.process)


def _wait_for_create(moment: Moment) -> None:
    bays = bay_folder.Bays(moment.sandbox.settings.bays_dir)
    waiting.wait_for(
        lambda: "CREATE_IN_PROGRESS" in map(status.bay_state, bays.all())
        or None,
        what="a bay to be CREATE_IN_PROGRESS",
        deadline_s=30,
        interval_s=0.05,
        sleep=time.sleep,
    )


def kill_locust(role: str) -> Callable[[Moment], None]:
    """Kill the Locust processes of a role."""

    def act(moment: Moment) -> None:
        for process in test_tasks.in_pods(moment.sandbox, role):
            process.kill()

    return act


def kill_targets(moment: Moment) -> None:
    """Kill the nginx of all targets."""
    for pid in cgroups.processes(moment.sandbox.settings.bays_cgroup):
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            if process.name() == "nginx":
                process.kill()


def limit_pods(moment: Moment) -> None:
    """Allow the namespace of the load two pods: target and master."""
    (bay,) = bay_folder.Bays(moment.sandbox.settings.bays_dir).all()
    with contextlib.closing(remains.open_bay(bay)) as opened:

        def namespace() -> str | None:
            found = json.loads(opened.get("/api/v1/namespaces"))["items"]
            names = (one["metadata"]["name"] for one in found)
            return next((x for x in names if x.startswith("rms-")), None)

        name = waiting.wait_for(
            namespace,
            what="the namespace of the load",
            deadline_s=30,
            interval_s=0.02,
            sleep=time.sleep,
        )
        quota = {
            "metadata": {"name": "two-pods"},
            "spec": {"hard": {"pods": "2"}},
        }
        opened.post(f"/api/v1/namespaces/{name}/resourcequotas", quota)

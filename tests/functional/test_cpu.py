"""CPU seconds of a load, against the control groups of its pods."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rally_magnum_sandbox.bay import cgroups
from rally_magnum_scale.in_bay.stats import records
from tests.functional import conftest
from tests.functional import test_tasks

pytestmark = pytest.mark.quiet

LOOK_EVERY_S = 0.1
STEP_S = 30
ARGUMENTS = {
    **test_tasks.SMALL,
    "steps": [{"rate_rps": 3000, "duration_s": STEP_S, "ramp_s": 2}],
    "min_rps": 2900,
    "max_create_s": 300,
    "max_delete_s": 120,
}


@dataclasses.dataclass
class Group:
    """A pod's control group, looked at again and again.

    :param component: what runs in it, by its command
    :param seen: epoch seconds, and CPU seconds used until then
    """

    folder: Path
    component: str
    seen: list[tuple[float, float]]

    def used_s(self, start_s: float, end_s: float) -> float:
        """Return what was used over a stretch of time."""
        return self._at(end_s) - self._at(start_s)

    def _at(self, at_s: float) -> float:
        for (before_s, first), (after_s, last) in itertools.pairwise(
            self.seen
        ):
            if before_s <= at_s <= after_s:
                share = (at_s - before_s) / (after_s - before_s)
                return first + (last - first) * share
        raise AssertionError(f"{self.folder} was not seen at {at_s}")


class Groups:
    """The control groups of all pods of all bays of the sandbox."""

    def __init__(self, sandbox: conftest.Sandbox) -> None:
        mounts = Path("/proc/self/mountinfo").read_text()
        used = cgroups.used_hierarchies(cgroups.parse_hierarchies(mounts))
        (self._root,) = (
            one.root
            for one in used
            if one.version == 2 or "cpuacct" in one.controllers
        )
        self._version = used[0].version
        self._bays = self._root / sandbox.settings.bays_cgroup
        self._found: dict[Path, Group] = {}

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Look at them, in a thread, for as long as the context is open."""
        over = threading.Event()

        def watch() -> None:
            while not over.wait(LOOK_EVERY_S):
                self._look()

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def of_bay(self, uuid: str, component: str) -> list[Group]:
        """Return the groups of one bay's pods that run a component."""
        return [
            group
            for group in self._found.values()
            if uuid[:8] in str(group.folder) and group.component == component
        ]

    def _look(self) -> None:
        for folder in self._bays.glob("**/pod*"):
            # A pod may go while it is looked at.
            with contextlib.suppress(OSError):
                group = self._found.get(folder) or self._new(folder)
                group.seen.append((time.time(), self._used_s(folder)))

    def _new(self, folder: Path) -> Group:
        group = Group(folder, _component(folder), [])
        if group.component:
            self._found[folder] = group
        return group

    def _used_s(self, folder: Path) -> float:
        if self._version == 1:
            return int((folder / "cpuacct.usage").read_text()) / 1e9
        words = (folder / "cpu.stat").read_text().split()
        return int(words[words.index("usage_usec") + 1]) / 1e6


def _component(folder: Path) -> str:
    """Tell a target from the load; empty while nothing runs in it."""
    for procs in folder.glob("*/cgroup.procs"):
        for pid in procs.read_text().split():
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            if command.startswith(b"nginx"):
                return "targets"
            if b"locustfile.py" in command:
                return "generators"
    return ""


@pytest.fixture(scope="module")
def load(
    sandbox: conftest.Sandbox,
) -> tuple[Groups, records.Run, test_tasks.Ran]:
    """A load whose control groups were looked at beside it."""
    groups = Groups(sandbox)
    with groups.watched():
        ran = test_tasks.start(sandbox, "2m-rps.json", ARGUMENTS)
    assert ran.errors == [], ran.said
    (run,) = ran.runs()
    return groups, run, ran


@pytest.mark.parametrize(("side", "pods"), [("targets", 1), ("generators", 2)])
def test_cpu_seconds_equal_those_of_the_control_groups(
    load: tuple[Groups, records.Run, test_tasks.Ran], side: str, pods: int
) -> None:
    groups, run, _ = load
    assert run.bay is not None
    assert run.throughput is not None
    (step,) = run.throughput.steps
    assert step.cpu_missing == ""
    steady = [one.second for one in run.windows if one.phase == "steady"]
    assert len(steady) == STEP_S
    found = groups.of_bay(run.bay.uuid, side)
    assert len(found) == pods
    used_s = sum(one.used_s(steady[0], steady[0] + STEP_S) for one in found)
    exact = 0.03
    if side == "targets":
        # A second that no reading covers may cost a third more or less, on
        # a machine that has other things to do.
        assert step.cpu_covered_ratio is not None
        exact += 0.3 * (1 - step.cpu_covered_ratio)
    assert step.cpu_s[side] == pytest.approx(used_s, rel=exact)
    wanted = step.requests / used_s
    assert step.requests_per_cpu_s[side] == pytest.approx(wanted, rel=exact)


def test_cores_and_cpu_seconds_are_in_every_report(
    sandbox: conftest.Sandbox,
    load: tuple[Groups, records.Run, test_tasks.Ran],
) -> None:
    _, run, ran = load
    assert run.throughput is not None
    assert run.throughput.cpus_seen
    (step,) = run.throughput.steps
    nodes_s, pods_s = step.cpu_s["nodes"], step.cpu_s["pods"]
    assert nodes_s is not None
    assert pods_s is not None
    assert nodes_s > pods_s
    for kind in ("magnum-scale-html", "magnum-scale-table", "html-static"):
        text = test_tasks.export(sandbox, ran.uuid, kind)
        assert "req/CPU s" in text


# Tells the bay of the test from others that may be there.
NARROW_NODES = 13


@contextlib.contextmanager
def narrowed(bays: Path) -> Iterator[None]:
    """Leave one processor to the pods of the bay that is made meanwhile."""
    mounts = Path("/proc/self/mountinfo").read_text()
    used = cgroups.used_hierarchies(cgroups.parse_hierarchies(mounts))
    (root,) = (one.root for one in used if "cpuset" in one.controllers)
    over = threading.Event()

    def narrow() -> None:
        # Until the end: kubelet, too, writes to a group that it has made.
        while not over.wait(0.01):
            for spec in bays.glob("*/spec.json"):
                # A bay's files and groups come and go meanwhile.
                with contextlib.suppress(OSError, ValueError):
                    bay = json.loads(spec.read_text())
                    if bay["node_count"] == NARROW_NODES:
                        pods = root / bay["cgroup"] / "node-0/kubepods"
                        cpus = pods / "besteffort/cpuset.cpus"
                        if cpus.read_text().strip() != "0":
                            cpus.write_text("0")

    thread = threading.Thread(target=narrow)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_a_cpuset_that_the_api_does_not_tell_is_seen(
    sandbox: conftest.Sandbox,
) -> None:
    with narrowed(sandbox.settings.state_dir / "bays"):
        ran = test_tasks.start(
            sandbox,
            "2m-rps.json",
            {**test_tasks.SMALL, "nodes": NARROW_NODES, "max_create_s": 300},
        )
    assert ran.errors == [], ran.said
    (run,) = ran.runs()
    load = run.throughput
    assert load is not None
    assert load.cpus_seen
    assert load.cores_pods == 1.0
    assert load.cores_of == {"targets": 1.0, "generators": 1.0}
    # The node tells of all that the machine has.
    assert load.cores_real_nodes == os.cpu_count()

"""A cpuset of pods that no API shows."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from rally_magnum_sandbox.bay import cgroups
from tests.functional import conftest
from tests.functional import test_tasks

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

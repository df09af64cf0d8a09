"""What Magnum's driver does with a bay: through Magnum's API only."""

from __future__ import annotations

import contextlib
import os
import signal
import time
import uuid
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rally_magnum_sandbox import openstack
from rally_magnum_sandbox.bay import files
from rally_magnum_sandbox.bay.process import Process
from rally_magnum_scale import waiting
from tests.functional import conftest
from tests.functional import test_sandbox
from tests.functional.conftest import Sandbox

GONE = "GONE"


class Cloud:
    """Magnum, and the bays that a test makes in it."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox = sandbox
        self.api = sandbox.magnum()
        self.made: list[str] = []
        self._folder = folder

    def create(self, nodes: int, **labels: str) -> str:
        body = {
            "name": f"driver-{uuid.uuid4().hex[:6]}",
            "cluster_template_id": openstack.TEMPLATE,
            "node_count": nodes,
            "master_count": 1,
            "labels": labels,
            "merge_labels": True,
        }
        bay = str(self.api.post("/clusters", json=body).json()["uuid"])
        self.made.append(bay)
        return bay

    def complete(self, nodes: int, **labels: str) -> str:
        bay = self.create(nodes, **labels)
        found = self.wait(bay, "CREATE_COMPLETE", "CREATE_FAILED")
        assert found["status"] == "CREATE_COMPLETE", found["status_reason"]
        return bay

    def get(self, bay: str) -> dict[str, Any]:
        found = test_sandbox.get(self.api, bay)
        return {"status": GONE} if found is None else found

    def wait(self, bay: str, *statuses: str) -> dict[str, Any]:
        def poll() -> dict[str, Any] | None:
            found = self.get(bay)
            return found if found.get("status") in statuses else None

        return waiting.wait_for(
            poll,
            what=f"bay {bay} to be {' or '.join(statuses)}",
            deadline_s=240,
            interval_s=conftest.LOOK_EVERY_S,
            progress=lambda: str(self.get(bay)),
            sleep=time.sleep,
        )

    def resize(
        self, bay: str, nodes: int, *remove: str, **more: Any
    ) -> dict[str, Any]:
        """Resize a bay and wait; return it as it is then."""
        self.begin_resize(bay, nodes, *remove, **more)
        return self.wait(bay, "UPDATE_COMPLETE", "UPDATE_FAILED")

    def begin_resize(
        self, bay: str, nodes: int, *remove: str, **more: Any
    ) -> None:
        body = {"node_count": nodes, "nodes_to_remove": list(remove), **more}
        url = f"/clusters/{bay}/actions/resize"
        self.begin(bay, lambda: self.api.post(url, json=body))

    def begin(self, bay: str, send: Callable[[], object]) -> None:
        """Send a request for a resize, and wait until Magnum works on it.

        Magnum answers before it has noted the wish, so that the status read
        next may be that of the resize before.
        """
        wishes = self.number_of_wishes(bay)
        before = self.get(bay).get("updated_at")
        send()

        def begun() -> bool | None:
            if self.number_of_wishes(bay) == wishes:
                return None
            found = self.get(bay)
            if found.get("status") == "UPDATE_IN_PROGRESS":
                return True
            return found.get("updated_at", before) != before or None

        waiting.wait_for(
            begun, what="the resize", deadline_s=60, interval_s=0.05
        )

    def number_of_wishes(self, bay: str) -> int:
        wish = files.read_json(self.folder(bay) / "wish.json")
        return int(wish.get("number", 0))

    def delete(self, bay: str) -> None:
        self.api.delete(f"/clusters/{bay}", raise_exc=False)

    def remove(self, bay: str) -> None:
        """Delete a bay, again and again: some fail or hang at first."""

        def gone() -> bool | None:
            if self.get(bay).get("status") == GONE:
                return True
            self.delete(bay)
            return None

        waiting.wait_for(
            gone,
            what=f"bay {bay} to be gone",
            deadline_s=180,
            interval_s=1,
            sleep=time.sleep,
        )

    def folder(self, bay: str) -> Path:
        return self.sandbox.settings.bays_dir / bay[:8]

    def ready(self, bay: str) -> set[str]:
        """Name the Ready nodes, as a user of the bay sees them."""
        found = self.get(bay)
        names = test_sandbox.ready_nodes(self.api, found, self._folder)
        return {name.removeprefix(f"{found['name']}-") for name in names}

    def worker_group(self, bay: str) -> dict[str, Any]:
        url = f"/clusters/{bay}/nodegroups/default-worker"
        return dict(self.api.get(url).json())


@pytest.fixture
def cloud(sandbox: Sandbox, tmp_path: Path) -> Iterator[Cloud]:
    made = Cloud(sandbox, tmp_path)
    yield made
    for bay in made.made:
        made.remove(bay)


@pytest.fixture(scope="module")
def shared(
    sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Cloud, str]]:
    """A bay for tests of resizes, and the cloud that it is in.

    It has any number of hollow nodes, and one real one.
    """
    made = Cloud(sandbox, tmp_path_factory.mktemp("shared"))
    try:
        yield made, made.complete(3)
    finally:
        for bay in made.made:
            made.remove(bay)


def real(nodes: set[str]) -> set[str]:
    return {name for name in nodes if name.startswith("node-")}


def begin_to_replace(cloud: Cloud, bay: str, nodes: int) -> str:
    """Begin to replace the real node of a bay; return its name.

    :param nodes: what the bay is resized to
    """
    (node,) = real(cloud.ready(bay))
    name = cloud.get(bay)["name"]
    cloud.begin_resize(bay, nodes, f"{name}-{node}")
    return node


def hollow(*numbers: int) -> set[str]:
    return {f"hollow-{number:04d}" for number in numbers}


def test_a_bay_grows_and_shrinks(cloud: Cloud) -> None:
    bay = cloud.complete(4)
    name = cloud.get(bay)["name"]
    found = cloud.resize(bay, 6)
    assert found["status"] == "UPDATE_COMPLETE", found["status_reason"]
    assert found["node_count"] == 6
    assert cloud.ready(bay) == {"node-0"} | hollow(1, 2, 3, 4, 5)
    found = cloud.resize(bay, 4, f"{name}-hollow-0001")
    assert found["status"] == "UPDATE_COMPLETE", found["status_reason"]
    assert cloud.ready(bay) == {"node-0"} | hollow(2, 3, 4)
    # Numbers that were used are not used again.
    body = [{"op": "replace", "path": "/node_count", "value": 5}]
    cloud.begin(bay, lambda: cloud.api.patch(f"/clusters/{bay}", json=body))
    found = cloud.wait(bay, "UPDATE_COMPLETE", "UPDATE_FAILED")
    assert found["node_count"] == 5
    assert cloud.ready(bay) == {"node-0"} | hollow(2, 3, 4, 6)


def test_named_nodes_are_replaced(cloud: Cloud) -> None:
    bay = cloud.complete(4, sandbox_real_nodes="2")
    before = cloud.worker_group(bay)["node_addresses"]
    name = cloud.get(bay)["name"]
    named = (before[0], f"{name}-hollow-0002")
    found = cloud.resize(bay, 4, *named, nodegroup="default-worker")
    assert found["status"] == "UPDATE_COMPLETE", found["status_reason"]
    assert cloud.ready(bay) == {"node-1", "node-2"} | hollow(1, 3)
    group = cloud.worker_group(bay)
    assert group["node_count"] == 4
    assert group["status"] == "UPDATE_COMPLETE"
    assert len(group["node_addresses"]) == 2
    assert before[1] in group["node_addresses"]
    assert not (cloud.folder(bay) / "node-0").exists()


def test_a_node_that_is_not_there_fails_the_resize(
    shared: tuple[Cloud, str],
) -> None:
    cloud, bay = shared
    before = cloud.ready(bay)
    found = cloud.resize(bay, len(before) - 1, "no-such-node")
    assert found["status"] == "UPDATE_FAILED"
    assert "'no-such-node' is not in the bay" in found["status_reason"]
    assert list(found["faults"]) == ["default-worker"]
    assert found["node_count"] == len(before)
    assert cloud.ready(bay) == before
    # Magnum lets a failed one be resized again.
    found = cloud.resize(bay, len(before) + 1)
    assert found["status"] == "UPDATE_COMPLETE", found["status_reason"]


def test_a_bay_may_be_empty_and_come_back(shared: tuple[Cloud, str]) -> None:
    cloud, bay = shared
    before = cloud.ready(bay)
    found = cloud.resize(bay, 0)
    assert found["status"] == "UPDATE_COMPLETE", found["status_reason"]
    assert (found["node_count"], found["node_addresses"]) == (0, [])
    assert cloud.ready(bay) == set()
    assert cloud.resize(bay, 3)["node_count"] == 3
    after = cloud.ready(bay)
    assert (len(after), len(real(after))) == (3, 1)
    assert after.isdisjoint(before)


def test_a_resize_takes_the_place_of_one_that_works(
    shared: tuple[Cloud, str],
) -> None:
    cloud, bay = shared
    old = begin_to_replace(cloud, bay, 3)
    found = cloud.resize(bay, 5)
    assert found["status"] == "UPDATE_COMPLETE", found["status_reason"]
    ready = cloud.ready(bay)
    assert len(ready) == found["node_count"] == 5
    # What the first one was to remove is gone, and was replaced once.
    assert len(real(ready)) == 1
    assert old not in ready


def test_a_delete_ends_a_resize(cloud: Cloud) -> None:
    bay = cloud.complete(2)
    begin_to_replace(cloud, bay, 2)
    cloud.delete(bay)
    cloud.wait(bay, GONE)
    assert not cloud.folder(bay).exists()


def test_a_resize_whose_process_is_killed_fails_in_words(
    shared: tuple[Cloud, str],
) -> None:
    cloud, bay = shared
    count = len(cloud.ready(bay))
    begin_to_replace(cloud, bay, count)
    notes = files.read_json(cloud.folder(bay) / "magnum.json")
    process = Process.of(notes["resizer"])
    assert process is not None
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    found = cloud.wait(bay, "UPDATE_FAILED", "UPDATE_COMPLETE")
    assert found["status"] == "UPDATE_FAILED"
    assert "exited without a result" in found["status_reason"]
    assert cloud.resize(bay, count)["status"] == "UPDATE_COMPLETE"
    assert len(cloud.ready(bay)) == count


def test_a_resize_fails_with_the_text_of_the_label(cloud: Cloud) -> None:
    bay = cloud.complete(2, sandbox_fail_resize="No valid host was found")
    found = cloud.resize(bay, 5)
    assert found["status"] == "UPDATE_FAILED"
    assert found["status_reason"] == "No valid host was found"
    assert found["node_count"] == 2
    assert len(cloud.ready(bay)) == 2


def stays(
    look: Callable[[], dict[str, Any]], status: str, seconds: float
) -> bool:
    """Look for longer than the sandbox's status sync takes."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if look().get("status") != status:
            return False
        time.sleep(0.2)
    return True


def test_a_bay_may_hang_in_its_create_and_in_its_delete(
    cloud: Cloud,
) -> None:
    bay = cloud.create(
        3, sandbox_hang_create="true", sandbox_hang_delete="true"
    )
    cloud.wait(bay, "CREATE_IN_PROGRESS")
    assert stays(lambda: cloud.get(bay), "CREATE_IN_PROGRESS", 4)
    assert not (cloud.folder(bay) / "processes").exists()
    cloud.delete(bay)
    cloud.wait(bay, "DELETE_IN_PROGRESS")
    assert stays(lambda: cloud.get(bay), "DELETE_IN_PROGRESS", 4)
    cloud.delete(bay)
    cloud.wait(bay, GONE)
    assert not cloud.folder(bay).exists()


def test_some_nodes_never_become_ready(cloud: Cloud) -> None:
    bay = cloud.complete(5, sandbox_unready_nodes="2")
    assert cloud.ready(bay) == {"node-0"} | hollow(1, 2)
    name = cloud.get(bay)["name"]
    found = cloud.resize(bay, 5, f"{name}-hollow-0003")
    assert found["status"] == "UPDATE_COMPLETE", found["status_reason"]
    assert cloud.ready(bay) == {"node-0"} | hollow(1, 2, 5)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sandbox_unready_nodes", "2"),
        ("sandbox_hang_create", "perhaps"),
        ("sandbox_real_nods", "1"),
    ],
)
def test_a_wrong_label_is_named(cloud: Cloud, name: str, value: str) -> None:
    bay = cloud.create(2, **{name: value})
    found = cloud.wait(bay, "CREATE_COMPLETE", "CREATE_FAILED")
    assert found["status"] == "CREATE_FAILED"
    assert f"label {name} is" in found["status_reason"]
    assert not cloud.folder(bay).exists()


def test_a_resize_goes_on_when_magnum_is_killed(
    shared: tuple[Cloud, str],
) -> None:
    cloud, bay = shared
    before = cloud.ready(bay)
    old = begin_to_replace(cloud, bay, len(before) + 2)
    record = cloud.sandbox.settings.state_dir / "run" / "magnum.json"
    os.kill(files.read_json(record)["pid"], signal.SIGKILL)
    cloud.sandbox.up()
    found = cloud.wait(bay, "UPDATE_COMPLETE", "UPDATE_FAILED")
    assert found["status"] == "UPDATE_COMPLETE", found["status_reason"]
    assert found["node_count"] == len(before) + 2
    after = cloud.ready(bay)
    assert before - after == {old}
    assert len(after - before) == 3
    assert len(real(after)) == 1

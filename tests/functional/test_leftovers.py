"""Runs that are killed on the sandbox, and the start after them."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from keystoneauth1 import adapter

from rally_magnum_sandbox import openstack
from rally_magnum_sandbox import secrets_file
from rally_magnum_scale import waiting
from rally_magnum_scale.task.recovery import run_markers
from tests.functional import conftest
from tests.functional import test_tasks

SAMPLE = "create-and-delete.json"
THREE = {"nodes": 2, "times": 3, "concurrency": 3}
SMALL = {"nodes": 2}
# A start looks for dead runs before its first bay, so that one whose bay
# fails at once tells the same.
NO_BAY = {"nodes": 2, "labels": {"sandbox_fail_create": "no bay is needed"}}


@dataclasses.dataclass(frozen=True)
class Killed:
    """A run that was killed.

    :param owner: how the names of its users and projects begin
    """

    task: str
    owner: str
    bays: set[str]


@dataclasses.dataclass(frozen=True)
class Cloud:
    """The sandbox with marks of its own, apart from those of other runs."""

    sandbox: conftest.Sandbox
    folder: Path

    def bays(self) -> set[str]:
        """Return the names of all bays of all projects.

        Magnum answers with an error when one of them comes or goes between
        its queries.
        """
        answer = self.sandbox.magnum().get(
            "/clusters",
            status_code_retries=10,
            retriable_status_codes=[400, 404, 500, 503],
        )
        return {bay["name"] for bay in answer.json()["clusters"]}

    def tenants(self, owner: str) -> list[str]:
        """Return the names of Rally's users and projects of a run."""
        settings = self.sandbox.settings
        secrets = secrets_file.ensure(settings.state_dir)
        keystone = adapter.Adapter(
            openstack.admin_session(settings, secrets),
            endpoint_override=settings.keystone_url,
        )
        return [
            each["name"]
            for kind in ("users", "projects")
            for each in keystone.get(f"/{kind}").json()[kind]
            if each["name"].startswith(f"c_rally_{owner}_")
        ]

    def status(self, task: str) -> str:
        """Return what Rally says of a task."""
        done = self.sandbox.rally("task", "status", "--uuid", task)
        return done.stdout

    def start(self) -> str:
        """Start a task whose bay fails; return what it said."""
        done = self.sandbox.rally(*test_tasks.command(SAMPLE, NO_BAY))
        said = done.stdout + done.stderr
        assert "no bay is needed" in said, said
        return said

    def run(self) -> str:
        """Run a small task, which must succeed; return what it said."""
        done = self.sandbox.rally(*test_tasks.command(SAMPLE, SMALL))
        said = done.stdout + done.stderr
        assert done.returncode == 0, said
        return said

    def kill(self, said: Path, *, only_the_parent: bool = False) -> Killed:
        """Start a task with three bays and kill it with SIGKILL."""
        with test_tasks.started(self.sandbox, SAMPLE, THREE, said) as process:
            self._wait_for_bays(said)
            test_tasks.kill(process, only_the_parent=only_the_parent)
        text = said.read_text()
        names = asked_for(text)
        owner = min(names).split("-")[1]
        return Killed(test_tasks.task_of(text), owner, names)

    @contextlib.contextmanager
    def untouched(self, dead: Killed) -> Iterator[Path]:
        """Give the mark of a killed run, and put it back as it was.

        Meanwhile nothing may be removed of what the run has left.
        """
        (path,) = self.folder.glob("*.json")
        mark = path.read_text()
        try:
            yield path
            assert dead.bays <= self.bays()
            assert len(self.tenants(dead.owner)) == 2
            assert "running" in self.status(dead.task)
        finally:
            path.write_text(mark)

    def _wait_for_bays(self, said: Path) -> None:
        waiting.wait_for(
            lambda: self._shows(asked_for(said.read_text())),
            what="three bays in Magnum",
            deadline_s=180,
            interval_s=conftest.LOOK_EVERY_S,
            progress=lambda: said.read_text()[-2000:],
            sleep=time.sleep,
        )

    def _shows(self, names: set[str]) -> bool | None:
        return (len(names) == 3 and names <= self.bays()) or None


def changed(mark: str, others: dict[str, str]) -> str:
    """Return a mark with other values, at its top or of its process."""
    content = json.loads(mark)
    for key, value in others.items():
        (content if key in content else content["process"])[key] = value
    return json.dumps(content)


def asked_for(said: str) -> set[str]:
    """Return the names of the bays that a task asked for."""
    return set(re.findall(r"asking Magnum for the bay (rms-\S+)", said))


@pytest.fixture
def cloud(
    sandbox: conftest.Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Cloud]:
    """The sandbox, where no other run knows of ours."""
    monkeypatch.setenv(run_markers.FOLDER_VARIABLE, str(tmp_path))
    opened = Cloud(sandbox, tmp_path / "runs")
    yield opened
    # What a test that failed has left.
    if list(opened.folder.glob("*.json")):
        opened.start()


def test_what_a_killed_run_left_is_told_until_it_is_proven_dead_then_removed(
    cloud: Cloud, tmp_path: Path
) -> None:
    dead = cloud.kill(tmp_path / "said")
    with cloud.untouched(dead) as path:
        mark = path.read_text()
        for words, others in {
            "it wrote to another Rally database": {"database": "0" * 64},
            "it was started on the host elsewhere": {"host": "elsewhere"},
        }.items():
            path.write_text(changed(mark, others))
            said = cloud.start()
            assert f"The run of task {dead.task}, started" in said
            assert words in said
            assert path.exists()
        path.unlink()
        said = cloud.start()
        for name in dead.bays:
            assert re.search(
                rf"The bay {name} \(project [0-9a-f]+, \d+ minutes old\) .*"
                "'openstack coe cluster delete [0-9a-f-]+'",
                said,
            )

    said = cloud.run()
    assert f"The run of task {dead.task} was killed" in said
    assert f"Nothing is left of task {dead.task}" in said
    for name in dead.bays:
        assert f"{name}: gone after" in said
    assert not dead.bays & cloud.bays()
    assert cloud.tenants(dead.owner) == []
    assert "crashed" in cloud.status(dead.task)
    assert list(cloud.folder.glob("*.json")) == []

    said = cloud.start()
    assert dead.task not in said
    assert not any(name in said for name in dead.bays)


def test_workers_whose_parent_was_killed_remove_their_bays(
    cloud: Cloud, tmp_path: Path
) -> None:
    dead = cloud.kill(tmp_path / "said", only_the_parent=True)
    said = (tmp_path / "said").read_text()
    assert "cleaning up, then the worker ends" in said
    assert not dead.bays & cloud.bays()
    assert len(cloud.tenants(dead.owner)) == 2
    cloud.start()
    assert cloud.tenants(dead.owner) == []

"""The sandbox of a test process: up once, down at the end.

Each process of pytest-xdist has a sandbox of its own, by its number, so that
tests that run at the same time meet nowhere but at the processors.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from keystoneauth1 import adapter

from rally_magnum_sandbox import client_environment
from rally_magnum_sandbox import openstack
from rally_magnum_sandbox import secrets_file
from rally_magnum_sandbox import settings as sandbox_settings
from tests.functional import evidence
from tests.functional import host_state
from tests.functional import rally_cli

CHECKOUT = Path(__file__).parents[2]
# Leaves the sandbox up after the tests, and takes one that is up: for work
# on a test. The tests that take it down bring it up again.
KEEP_VARIABLE = "RALLY_MAGNUM_SANDBOX_KEEP"
# Each look at Magnum costs some 50 ms of a processor, of which there are two,
# and the sandbox's Magnum looks at its bays once a second.
LOOK_EVERY_S = 0.5
PROGRAM = str(Path(sys.prefix) / "bin" / "rally-magnum-sandbox")


@dataclasses.dataclass(frozen=True)
class Sandbox:
    """The cloud that the tests use.

    :param settings: its folders and ports
    :param before: what the machine held before it was brought up
    """

    settings: sandbox_settings.Settings
    before: host_state.HostState

    @property
    def env(self) -> dict[str, str]:
        """The variables that ``rally-magnum-sandbox run`` gives."""
        secrets = secrets_file.ensure(self.settings.state_dir)
        return client_environment.variables(self.settings, secrets)

    def command(
        self, *arguments: str, deadline_s: float = 600
    ) -> subprocess.CompletedProcess[str]:
        """Run ``rally-magnum-sandbox`` with these arguments."""
        return subprocess.run(
            [PROGRAM, *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=deadline_s,
            cwd=CHECKOUT,
        )

    def run(
        self, *command: str, deadline_s: float = 600
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the sandbox's environment."""
        return self.command("run", "--", *command, deadline_s=deadline_s)

    def rally(
        self,
        *arguments: str,
        folder: Path = CHECKOUT,
        deadline_s: float = 600,
        **variables: str,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of Rally in the sandbox's environment."""
        return rally_cli.run(
            arguments, self.env | variables, folder, deadline_s
        )

    def up(self) -> None:
        """Bring it up; a failure is the test's, with what was said."""
        done = self.command("up", deadline_s=2400)
        assert done.returncode == 0, done.stdout + done.stderr

    def down(self) -> None:
        """Take it down; a failure is the test's, with what was said."""
        done = self.command("down", deadline_s=300)
        assert done.returncode == 0, done.stdout + done.stderr

    def magnum(self) -> adapter.Adapter:
        """Open Magnum's API as the administrator."""
        secrets = secrets_file.ensure(self.settings.state_dir)
        session = openstack.admin_session(self.settings, secrets)
        return magnum_api(session, self.settings)


def magnum_api(
    session: Any, settings: sandbox_settings.Settings
) -> adapter.Adapter:
    """Open Magnum's API in a session."""
    return adapter.Adapter(
        session,
        endpoint_override=settings.magnum_url,
        additional_headers={"OpenStack-API-Version": openstack.MAGNUM_VERSION},
    )


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """Bring the sandbox up, and take it down at the end.

    What it leaves behind is an error of the last test.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    number = int(worker.removeprefix("gw")) % sandbox_settings.SANDBOXES
    os.environ.setdefault(sandbox_settings.NUMBER_VARIABLE, str(number))
    with brought_up(keep=bool(os.environ.get(KEEP_VARIABLE))) as shared:
        yield shared


@contextlib.contextmanager
def brought_up(*, keep: bool = False) -> Iterator[Sandbox]:
    """Bring the sandbox of the environment up, and take it down at the end.

    :param keep: take one that is up, and leave it up
    :raises AssertionError: if a command fails, or something is left
    """
    no_proxy = os.environ.get("NO_PROXY")
    os.environ["NO_PROXY"] = ",".join(
        filter(None, [no_proxy, sandbox_settings.NO_PROXY])
    )
    settings = sandbox_settings.from_environment()
    rally_cli.start()
    owner = host_state.Owner.of_sandbox(settings)
    shared = Sandbox(settings, host_state.capture(owner))
    if not keep:
        # Of an earlier run that was killed.
        shared.down()
    # Builds what is slow, or waits for who builds it already; and makes
    # the last change to the machine that is to stay: Debian's packages.
    done = shared.command("prepare", deadline_s=2400)
    assert done.returncode == 0, done.stderr
    shared = dataclasses.replace(shared, before=host_state.capture(owner))
    shared.up()
    try:
        yield shared
    finally:
        if not keep:
            shared.down()
            assert host_state.settle(shared.before) == []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Iterator[None]:
    """Add the state of the sandbox to the report of a failed test."""
    report: Any = yield
    shared = item.funcargs.get("sandbox")
    if report.failed and isinstance(shared, Sandbox):
        try:
            report.sections += evidence.of_sandbox(shared.settings)
        except Exception as error:
            report.sections.append(("sandbox", f"can't be read: {error!r}"))
    return report

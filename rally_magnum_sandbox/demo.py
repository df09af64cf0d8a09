"""Start the sandbox, run a Rally task, write reports, remove the sandbox."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

from rally_magnum_sandbox import client_environment
from rally_magnum_sandbox import demo_input
from rally_magnum_sandbox import down
from rally_magnum_sandbox import secrets_file
from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_sandbox import up
from rally_magnum_scale import commands
from rally_magnum_scale import interruption
from rally_magnum_scale import waiting

TASK_DEADLINE_S = 4 * 3600.0
REPORT_DEADLINE_S = 300.0
# How long Rally may take to clean up after an interrupt.
CLEANUP_DEADLINE_S = 180.0


@dataclass(frozen=True)
class Demo:
    """What to run and where its reports go.

    :param task: the Rally task file
    :param args: the file with the task's arguments, or None
    :param reports_dir: the folder for the HTML reports
    :param keep: keep the sandbox afterwards
    :param rally: the rally executable
    """

    task: pathlib.Path
    args: pathlib.Path | None
    reports_dir: pathlib.Path
    keep: bool
    rally: pathlib.Path = pathlib.Path(sys.prefix) / "bin" / "rally"


def demo(
    settings: sandbox_settings.Settings,
    what: Demo,
    log: commands.Log,
) -> int:
    """Run a Rally task in the sandbox and write its reports.

    A sandbox that was up before stays up.

    :param settings: of the sandbox
    :param what: the task to run
    :param log: gets progress lines
    :returns: the exit status of the task: 0, or 2 if its SLA failed
    :raises InvalidInput: if a file or a folder can't be used; nothing was
        created
    :raises MissingRequirement: if the machine lacks a requirement; nothing
        was created
    :raises Interrupted: after Ctrl-C, once everything is removed
    """
    demo_input.check(what.task, what.args, what.reports_dir)
    given = up.check_input(settings)
    was_up = settings.ready_file.exists()
    if not was_up:
        # Outside the `try`: if this check fails, there is nothing to remove.
        up.check_machine(settings, given, log)
    try:
        up.up(settings, log)
        return run_task(settings, what, log)
    finally:
        with interruption.deferred():
            if was_up:
                log("the sandbox was up before the demo, and stays up")
            elif what.keep and not interruption.requested():
                log(
                    "the sandbox stays up; remove it with "
                    "`rally-magnum-sandbox down`"
                )
            else:
                down.down(settings, log)


def run_task(
    settings: sandbox_settings.Settings,
    what: Demo,
    log: commands.Log,
) -> int:
    """Run the task in a sandbox that is up, and write its reports.

    :param settings: of the sandbox
    :param what: the task to run
    :param log: gets progress lines
    :returns: the exit status of the task, or 1 if a report was not written
    :raises Interrupted: after Ctrl-C, once Rally has exited
    """
    secrets = secrets_file.ensure(settings.state_dir)
    env = client_environment.variables(settings, secrets)
    with _own_home(settings) as home:
        return _run_task(what, env | {"HOME": str(home)}, log)


@contextlib.contextmanager
def _own_home(settings: sandbox_settings.Settings) -> Iterator[pathlib.Path]:
    """Give Rally a home folder of its own while it runs the task.

    Rally stores the id of the last task in its home and reports on that task.
    With a separate home, another task that runs meanwhile can't replace it.
    """
    remembered = pathlib.Path(".rally") / "globals"
    with tempfile.TemporaryDirectory() as folder:
        home = pathlib.Path(folder)
        yield home
        if (home / remembered).exists():
            (settings.home_dir / remembered).parent.mkdir(
                mode=0o700, parents=True, exist_ok=True
            )
            shutil.copy(home / remembered, settings.home_dir / remembered)


def _run_task(what: Demo, env: dict[str, str], log: commands.Log) -> int:
    start = ["task", "start", str(what.task)]
    if what.args is not None:
        start += ["--task-args-file", str(what.args)]
    log(f"rally {' '.join(start)}")
    code = _rally(what.rally, start, env, TASK_DEADLINE_S)
    what.reports_dir.mkdir(parents=True, exist_ok=True)
    pages = {
        "rally.html": ["task", "report", "--html-static", "--out"],
        "sla.html": [*_export("magnum-scale-html"), "--to"],
    }
    written = [
        path
        for name, arguments in pages.items()
        if _write_page(
            what.rally, path := what.reports_dir / name, arguments, env
        )
    ]
    table = [*_export("magnum-scale-table"), "--to", "-"]
    failed = _rally(what.rally, table, env, REPORT_DEADLINE_S) != 0
    for path in written:
        log(f"page: {path.absolute()}")
    failed = failed or len(written) < len(pages)
    return code or int(failed)


def _export(kind: str) -> list[str]:
    return ["task", "export", "--type", kind]


def _write_page(
    rally: pathlib.Path,
    path: pathlib.Path,
    arguments: list[str],
    env: dict[str, str],
) -> bool:
    path.unlink(missing_ok=True)
    _rally(rally, [*arguments, str(path)], env, REPORT_DEADLINE_S)
    return path.exists()


def _rally(
    rally: pathlib.Path,
    arguments: list[str],
    env: dict[str, str],
    deadline_s: float,
) -> int:
    # In its own session, so that the terminal sends Ctrl-C to this process
    # only, which forwards it once.
    child = subprocess.Popen(
        [str(rally), *arguments], env=env, start_new_session=True
    )
    try:
        return waiting.wait_for(
            child.poll,
            what=f"rally {' '.join(arguments[:2])}",
            deadline_s=deadline_s,
            interval_s=0.2,
        )
    finally:
        if child.poll() is None:
            _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    for number, patience_s in (
        (signal.SIGTERM, CLEANUP_DEADLINE_S),
        (signal.SIGKILL, 10.0),
    ):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(patience_s)
            return

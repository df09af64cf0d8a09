"""Run a wrong input, and find the sentence that it got."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import sqlite3
import subprocess
import tempfile
import threading
from pathlib import Path

from tests.functional import conftest
from tests.functional.bad_inputs import cases
from tests.functional.bad_inputs import faults

TASK_DEADLINE_S = 240


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a wrong input got.

    :param status: exit status of ``rally task start``
    :param said: all that it printed
    :param sentence: the line of it that says what was wrong
    """

    status: int
    said: str
    sentence: str


def run(sandbox: conftest.Sandbox, case: cases.Case) -> Outcome:
    """Run a case to its end."""
    with (
        tempfile.TemporaryDirectory() as folder,
        case.around(sandbox),
        faults.rally_environment(sandbox, case.env) as env,
    ):
        path = Path(folder, "task.json")
        path.write_text(json.dumps(case.task()))
        database = _copy_database(sandbox, Path(folder, "rally.db"))
        variables = env | database
        if case.meanwhile:
            status, said = _disturbed(sandbox, case, path, variables)
        else:
            done = sandbox.rally(
                *("task", "start", str(path)),
                deadline_s=TASK_DEADLINE_S,
                **variables,
            )
            status, said = done.returncode, done.stdout + done.stderr
    return Outcome(status, said, _sentence(case, said))


def _copy_database(sandbox: conftest.Sandbox, path: Path) -> dict[str, str]:
    """Copy Rally's database: in one of SQLite two tasks lock each other out.

    :returns: the variable that selects the copy
    """
    _, _, original = sandbox.settings.rally_database.partition(":///")
    with (
        contextlib.closing(sqlite3.connect(original)) as source,
        contextlib.closing(sqlite3.connect(path)) as copy,
    ):
        source.backup(copy)
    return {"OS_DATABASE__CONNECTION": f"sqlite:///{path}"}


def _disturbed(
    sandbox: conftest.Sandbox,
    case: cases.Case,
    path: Path,
    env: dict[str, str],
) -> tuple[int, str]:
    """Run a case by the installed program, and cause its fault meanwhile."""
    assert case.meanwhile
    variables = [f"{name}={value}" for name, value in env.items()]
    start = ["rally", "task", "start", str(path)]
    process = subprocess.Popen(
        [conftest.PROGRAM, "run", "--", "env", *variables, *start],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=conftest.CHECKOUT,
    )
    assert process.stdout is not None
    timer = threading.Timer(TASK_DEADLINE_S, process.kill)
    timer.start()
    lines, called = [], False
    try:
        for line in process.stdout:
            lines.append(line)
            if not called and re.search(case.when, line):
                called = True
                case.meanwhile(sandbox)
        status, said = process.wait(30), "".join(lines)
    finally:
        timer.cancel()
        process.stdout.close()
    assert called, (
        f"no line said {case.when!r}, so the fault was not caused:\n{said}"
    )
    return status, said


def _sentence(case: cases.Case, said: str) -> str:
    """Return the shortest line that says what the case must say."""
    lines = [one for one in said.splitlines() if re.search(case.says, one)]
    shortest = min(filter(_is_said, lines), key=len, default="")
    # The log's own head (time, process, level, logger) and a class's name.
    return re.sub(
        r"^.*? (?:INFO|WARNING|ERROR) \S+ (?:\[-\] )?(?:[\w.]+\.\w+: )?",
        "",
        shortest,
    )


def _is_said(line: str) -> bool:
    """Tell a sentence from the echo of the task and from a traceback."""
    echoed = line.lstrip().startswith(("{", '"'))
    return not echoed and not re.match(r"[\w.]+\.\w+: ", line)


def left_over(sandbox: conftest.Sandbox) -> list[str]:
    """Return what of a task is still in the cloud."""
    return [
        *faults.bays(sandbox),
        *faults.templates(sandbox),
        *faults.projects_and_users(sandbox),
    ]

"""Run the task of a case while its fault is injected."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import re
import shlex
import subprocess
import time
from pathlib import Path

from rally_magnum_sandbox import cli
from rally_magnum_scale import commands
from rally_magnum_scale.task.exporters import result_files
from rally_magnum_scale.task.exporters import results
from tests.fault_table import acts
from tests.fault_table import cases
from tests.fault_table import remains
from tests.fault_table import table
from tests.functional import conftest
from tests.functional import test_in_bay
from tests.functional import test_tasks

MOMENT_DEADLINE_S = 300.0
TASK_DEADLINE_S = 600.0
# A start looks for what dead runs left before its first bay.
NEXT_START = {"nodes": 1, "labels": {"sandbox_fail_create": "no bay"}}


@dataclasses.dataclass(frozen=True)
class Runner:
    """Runs cases on a sandbox.

    :param folder: for the output of each task
    :param kept: the bay of :data:`cases.LOAD`; None if no case needs it
    """

    sandbox: conftest.Sandbox
    folder: Path
    kept: test_in_bay.Kept | None = None

    def run(self, case: cases.Case) -> table.Row:
        """Run the task of a case; the sandbox is whole again afterwards.

        :raises AssertionError: if a command of the sandbox fails
        """
        before = remains.look(self.sandbox)
        output = self.folder / f"{case.name}.txt"
        try:
            task_s = self._run_task(case, output)
            missed = self._missed()
        finally:
            self.sandbox.up()
        if case.next_start:
            arguments = test_tasks.command(cases.CREATE, NEXT_START)
            self.sandbox.rally(*arguments)
        return table.Row(
            case.fault,
            case.injected_by,
            self._outcome(output),
            task_s,
            remains.left_since(before, self.sandbox),
            case.spoils,
            missed,
        )

    def _run_task(self, case: cases.Case, output: Path) -> float:
        """Return the seconds that the task took."""
        arguments = {**cases.ARGUMENTS[case.sample], **case.arguments}
        if case.labels:
            arguments["labels"] = {**case.labels}
        environment = None
        if case.sample == cases.LOAD:
            assert self.kept
            arguments["bay"] = self.kept.name
            environment = self.kept.environment
        if not case.when:
            self._inject(case, output)
        start_s = time.monotonic()
        with test_tasks.started(
            self.sandbox,
            case.sample,
            arguments,
            output,
            environment,
        ) as process:
            if case.when:
                _wait_for_words(case.when, output, process)
                self._inject(case, output)
                if case.act:
                    case.act(acts.Moment(self.sandbox, process))
            process.wait(TASK_DEADLINE_S)
            return time.monotonic() - start_s

    def _inject(self, case: cases.Case, output: Path) -> None:
        for command in case.commands:
            bay = self._bay(output) if "BAY" in command else ""
            words = shlex.split(command.replace("BAY", bay))
            # In this process: another would come too late for some moments.
            with contextlib.redirect_stdout(io.StringIO()):
                assert cli.main(words) == 0, command

    def _bay(self, output: Path) -> str:
        """Return the name of the bay that the task uses."""
        made = re.search(rf"{cases.CREATING} (\S+)", output.read_text())
        if made:
            return made[1]
        assert self.kept
        return self.kept.name

    def _missed(self) -> list[str]:
        listed = self.sandbox.command("fault", "list", "--json")
        return [
            f"{one['target']} {one['kind']}"
            for one in json.loads(listed.stdout)
            if not one["hits"]
        ]

    def _outcome(self, output: Path) -> table.Outcome:
        task = test_tasks.task_of(output.read_text())
        path = output.with_suffix(".json")
        self.sandbox.rally(
            "task", "report", "--json", "--out", str(path), task
        )
        report = results.read(result_files.read(path))
        return table.read(report, commands.last_line(output))


def _wait_for_words(
    words: str, output: Path, process: subprocess.Popen[bytes]
) -> None:
    end_s = time.monotonic() + MOMENT_DEADLINE_S
    while words not in output.read_text():
        assert process.poll() is None, f"{words!r} is not in {output}"
        assert time.monotonic() < end_s, f"{words!r} is not in {output}"
        time.sleep(0.05)

"""Run the checks and all tests: what is quick and cheap comes first.

``make test`` runs the stages one after the other.  The first that fails ends
the run, so that a broken change is red within minutes.  Functional tests run
side by side, each process with a sandbox of its own; those that measure (mark
``quiet``) run alone afterwards.

``--all`` (``make test-all``) adds what is long by nature (mark ``long``), and
an audit of the dependencies.
``--coverage`` (``make coverage``) measures which lines and branches of the
package ran, in all processes but those inside a bay and the servers.

The exit status is 0 when everything passed, 1 when something failed, 124
when the time was up and 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from collections.abc import Sequence
from pathlib import Path

from rally_magnum_sandbox.bay.cgroups import CgroupTree
from tests import audit
from tests import costs
from tests.functional import host_state

CHECKOUT = Path(__file__).parents[1]
REPORTS = CHECKOUT / "reports"
# CI ends a run after 90 minutes, without a word.
BUDGET_S = 75 * 60
BUDGET_FOR_ALL_S = 6 * 3600
END_DEADLINE_S = 60
DOWN_DEADLINE_S = 300
TIME_UP = 124
INTERRUPTED = 130
# On two processors: unit tests wait for half of their time, functional ones
# keep the sandbox's servers and bays busy.
UNIT_PROCESSES = 3
FUNCTIONAL_PROCESSES = 3


@dataclasses.dataclass(frozen=True)
class Stage:
    """One part of the run.

    :param name: in the output
    :param command: that runs it
    :param report: that pytest writes, None for a stage without tests
    :param note: file whose line is for the summary, if it writes one
    """

    name: str
    command: tuple[str, ...]
    report: Path | None = None
    note: Path | None = None


def stages(*, everything: bool, coverage: bool) -> list[Stage]:
    """List the stages in their order."""
    more = "" if everything else " and not long"
    # Last: a new advisory must not hide what the tests say.
    audited = Stage(
        "dependency audit",
        (sys.executable, "-m", "tests.audit"),
        note=audit.NOTE,
    )
    return [
        Stage("style, types and layers", ("tools/run-lint",)),
        _tests(
            "unit tests",
            *("tests/unit", "tests/browser", "-n", str(UNIT_PROCESSES)),
            *("-m", more.removeprefix(" and ")),
            *(("--hypothesis-profile", "long") if everything else ()),
            coverage=coverage,
        ),
        _tests(
            "functional tests side by side",
            *("tests/functional", "-n", str(FUNCTIONAL_PROCESSES)),
            *("-m", f"not quiet{more}"),
            coverage=coverage,
        ),
        _tests(
            "functional tests that measure",
            *("tests/functional", "-m", f"quiet{more}"),
            coverage=coverage,
        ),
        *([audited] if everything else []),
    ]


def _tests(name: str, *arguments: str, coverage: bool) -> Stage:
    report = REPORTS / f"{name.replace(' ', '-')}.jsonl"
    measured = ("coverage", "run") if coverage else (sys.executable,)
    command = (*measured, "-m", "pytest", *arguments)
    # An order of its own begins with what takes longest.
    return Stage(
        name,
        (*command, "--no-loadscope-reorder", f"--report-log={report}"),
        report,
    )


class Gate:
    """Runs stages until one fails or the time is up.

    :param wanted: the stages
    :param budget_s: seconds for all of them
    """

    def __init__(self, wanted: list[Stage], budget_s: float) -> None:
        self._stages = wanted
        self._start_s = time.monotonic()
        self._budget_s = budget_s
        self.took_s: dict[str, float] = {}
        self.failed = ""
        self.status = 0

    @property
    def reports(self) -> list[Path]:
        return [stage.report for stage in self._stages if stage.report]

    @property
    def notes(self) -> list[Path]:
        return [stage.note for stage in self._stages if stage.note]

    def run(self) -> None:
        """Run the stages, and take note of one that failed."""
        for path in (*self.reports, *self.notes):
            path.unlink(missing_ok=True)
        for number, stage in enumerate(self._stages, 1):
            _say(f"== {stage.name} ({number} of {len(self._stages)})")
            start_s = time.monotonic()
            try:
                status = self._run(stage)
            finally:
                self.took_s[stage.name] = time.monotonic() - start_s
            if status:
                self.failed = stage.name
                self.status = self.status or 1
                return

    def _run(self, stage: Stage) -> int:
        left_s = self._budget_s - (time.monotonic() - self._start_s)
        try:
            with _running(stage.command) as process:
                return process.wait(max(left_s, 0))
        except subprocess.TimeoutExpired:
            self.status = TIME_UP
            return TIME_UP


@contextlib.contextmanager
def _running(command: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Start a command, and end it if the block fails.

    An interrupt while the command starts takes effect in the block, or nobody
    would know which process to end.
    """
    wanted = signal.pthread_sigmask(
        signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM}
    )
    heed = functools.partial(
        signal.pthread_sigmask, signal.SIG_SETMASK, wanted
    )
    try:
        # A group of its own, so that a Ctrl-C does not reach it twice.
        process = subprocess.Popen(
            command, cwd=CHECKOUT, start_new_session=True, preexec_fn=heed
        )
    except BaseException:
        heed()
        raise
    with process:
        try:
            heed()
            yield process
        except BaseException:
            _end(process)
            raise


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let pytest end its tests and remove what they use; kill the rest."""
    process.send_signal(signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(END_DEADLINE_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def summary(gate: Gate) -> list[str]:
    """Say what the run came to; the last line counts the tests."""
    tests = costs.read(gate.reports)
    lines = ["", "== summary"]
    lines += [f"{took:7.0f} s  {name}" for name, took in gate.took_s.items()]
    if gate.status == TIME_UP:
        lines.append(
            f"The time of {gate._budget_s / 60:.0f} minutes is up; the "
            "slowest tests so far:"
        )
        slowest = sorted(tests, key=lambda test: -test.total_s)[:15]
        lines += [f"{test.total_s:7.0f} s  {test.nodeid}" for test in slowest]
    if gate.failed:
        lines.append(f"FAILED {gate.failed}")
    failed = [test for test in tests if test.outcome in costs.FAILED]
    lines += [
        f"{test.outcome.upper()} {test.nodeid}: {test.reason}"
        for test in failed
    ]
    lines += [
        f"ERROR {name}: {reason}"
        for name, reason in costs.failures_to_collect(gate.reports)
    ]
    lines += [path.read_text() for path in gate.notes if path.exists()]
    lines.append(f"costs: {_write_costs(tests)}")
    skipped = sum(test.outcome == "skipped" for test in tests)
    passed = len(tests) - len(failed) - skipped
    lines.append(f"{passed} passed, {len(failed)} failed, {skipped} skipped")
    return lines


def _write_costs(tests: list[costs.Test]) -> Path:
    path = REPORTS / "test-costs.md"
    path.write_text(costs.table(tests))
    return path.relative_to(CHECKOUT)


@contextlib.contextmanager
def sandbox_prepared() -> Iterator[None]:
    """Build what bays are made of meanwhile, at a lower priority."""
    log = REPORTS / "prepare.log"
    command = ["nice", "-n", "10", "rally-magnum-sandbox", "prepare"]
    command += ["--driver", "capi-helm"]
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=subprocess.STDOUT
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def install_programs() -> None:
    """Install the tests' own programs; the sandbox installs its own."""
    packages = [
        package
        for program, package in (
            ("chromium", "chromium fonts-dejavu-core"),
            ("systemd-analyze", "systemd"),
        )
        if shutil.which(program) is None
    ]
    if not packages or os.geteuid() != 0:
        return
    names = " ".join(packages).split()
    _say(f"installing {' '.join(names)}")
    subprocess.run(["apt-get", "-qq", "update"], check=True)
    subprocess.run(
        [
            "apt-get",
            "-qq",
            "install",
            "--yes",
            "--no-install-recommends",
            *names,
        ],
        env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
        stdout=subprocess.DEVNULL,
        check=True,
    )


def take_sandboxes_down() -> None:
    """Remove the sandboxes of tests that were not ended in order."""
    for number in range(FUNCTIONAL_PROCESSES):
        subprocess.run(
            ["rally-magnum-sandbox", "down"],
            env=os.environ | {"RALLY_MAGNUM_SANDBOX_NUMBER": str(number)},
            stdout=subprocess.DEVNULL,
            timeout=DOWN_DEADLINE_S,
            check=False,
        )
        bays = CgroupTree(f"{host_state.BY_HAND}-{number}")
        bays.kill(END_DEADLINE_S)
        bays.remove(END_DEADLINE_S)


def report_coverage() -> None:
    """Write the coverage of all processes as Markdown, and say the sum."""
    subprocess.run(["coverage", "combine", "--quiet"], check=True)
    table = _coverage_report("--format=markdown")
    (REPORTS / "coverage.md").write_text(table)
    total = _coverage_report("--format=total").strip()
    _say(f"coverage of lines and branches: {total} % (reports/coverage.md)")


def _coverage_report(form: str) -> str:
    return subprocess.run(
        ["coverage", "report", "--precision=2", form],
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - this is a command


def _raise_interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true", dest="everything")
    parser.add_argument("--coverage", action="store_true")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _raise_interrupt)
    # A shell that starts this in the background has it ignore SIGINT, and
    # so would pytest, which is ended by it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(CHECKOUT)
    REPORTS.mkdir(exist_ok=True)
    # Each test process would compile all tests anew, for seconds.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if options.coverage:
        shutil.rmtree(REPORTS / "coverage", ignore_errors=True)
        os.environ["COVERAGE_FILE"] = str(REPORTS / "coverage" / "data")
    gate = Gate(
        stages(everything=options.everything, coverage=options.coverage),
        BUDGET_FOR_ALL_S if options.everything else BUDGET_S,
    )
    try:
        install_programs()
        with sandbox_prepared():
            gate.run()
    except KeyboardInterrupt:
        gate.status = INTERRUPTED
    if gate.status in (TIME_UP, INTERRUPTED):
        take_sandboxes_down()
    if options.coverage:
        report_coverage()
    _say("\n".join(summary(gate)))
    return gate.status


if __name__ == "__main__":
    sys.exit(main())

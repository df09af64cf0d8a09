"""What `make test` runs, when it stops, and what it says at the end."""

import contextlib
import json
import signal
import subprocess
import sys

import psutil
import pytest

from tests import costs
from tests import run

WELL = ("true",)
BADLY = ("false",)


def entry(nodeid, when, outcome="passed", **more):
    return {
        "$report_type": "TestReport",
        "nodeid": nodeid,
        "when": when,
        "outcome": outcome,
        "duration": 2.0,
        "user_properties": [[f"{when}_cpu_s", 0.5]],
        "longrepr": None,
    } | more


def failed(nodeid, when, message):
    crash = {"reprcrash": {"message": message, "path": "x.py", "lineno": 1}}
    return entry(nodeid, when, "failed", longrepr=crash)


@pytest.fixture(autouse=True)
def sigint():
    """Heed SIGINT, also where these tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def report(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "REPORTS", tmp_path)
    monkeypatch.setattr(run, "CHECKOUT", tmp_path)
    return tmp_path / "report.jsonl"


def write(path, *entries):
    """Give a command that writes a report."""
    lines = "".join(json.dumps(each) + "\n" for each in entries)
    script = "import sys; open(sys.argv[1], 'w').write(sys.argv[2])"
    return (sys.executable, "-c", script, str(path), lines)


def gate_of(*stages, budget_s=60):
    gate = run.Gate(list(stages), budget_s)
    gate.run()
    return gate


def test_a_stage_that_fails_ends_the_run(report):
    gate = gate_of(
        run.Stage("checks", BADLY), run.Stage("tests", WELL, report)
    )
    assert gate.status == 1
    assert gate.failed == "checks"
    assert list(gate.took_s) == ["checks"]
    said = run.summary(gate)
    assert "FAILED checks" in said
    assert said[-1] == "0 passed, 0 failed, 0 skipped"


def test_when_everything_passes_the_status_is_0(report):
    assert gate_of(run.Stage("checks", WELL)).status == 0


def test_each_failed_test_is_named_with_its_first_line(report):
    tests = write(
        report,
        *(entry("a.py::good", when) for when in costs.PHASES),
        failed("a.py::bad", "call", "assert 1 == 2\n and more"),
        failed("a.py::broken", "setup", "OSError: gone"),
        entry("a.py::left_out", "setup", "skipped"),
    )
    gate = gate_of(run.Stage("tests", (*tests,), report))
    said = run.summary(gate)
    assert "FAILED a.py::bad: assert 1 == 2" in said
    assert "ERROR a.py::broken: OSError: gone" in said
    assert said[-1] == "1 passed, 2 failed, 1 skipped"
    assert "a.py::good | 6.0 | 2.0 | 2.0 | 2.0 | 1.5 | 4.5" in (
        (report.parent / "test-costs.md").read_text()
    )


def test_a_file_that_can_not_be_read_as_tests_is_named(report):
    broken = {
        "$report_type": "CollectReport",
        "nodeid": "b.py",
        "outcome": "failed",
        "longrepr": "ImportError: no x",
    }
    gate = gate_of(run.Stage("tests", write(report, broken), report))
    assert "ERROR b.py: ImportError: no x" in run.summary(gate)


def test_when_the_time_is_up_the_run_ends_and_says_what_was_slow(report):
    script = (
        """printf '%s\n{"cut' "$2" > "$1"; sleep 600 & """
        'echo $! > "$1.child"; wait'
    )
    slow = json.dumps(entry("a.py::slow", "call"))
    endless = ("sh", "-c", script, "sh", str(report), slow)
    gate = gate_of(
        run.Stage("tests", endless, report),
        run.Stage("never", WELL),
        budget_s=1,
    )
    assert gate.status == run.TIME_UP
    assert list(gate.took_s) == ["tests"]
    said = run.summary(gate)
    assert any(line.startswith("The time of ") for line in said)
    assert any(line.endswith("s  a.py::slow") for line in said)
    child = int(report.with_name("report.jsonl.child").read_text())
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(child).wait(30)


def test_a_report_of_an_earlier_run_does_not_count(report):
    report.write_text(json.dumps(entry("old.py::old", "call")))
    gate = gate_of(run.Stage("checks", BADLY), run.Stage("t", WELL, report))
    assert run.summary(gate)[-1] == "0 passed, 0 failed, 0 skipped"


def test_only_test_all_runs_what_is_long():
    def of(everything):
        wanted = run.stages(everything=everything, coverage=False)
        return [" ".join(stage.command) for stage in wanted]

    checks, *tests = of(False)
    assert checks == "tools/run-lint"
    for command, wanted in zip(
        tests,
        ("not long", "not quiet and not long", "quiet and not long"),
        strict=True,
    ):
        assert f" -m {wanted} " in command
    assert not any("not long" in command for command in of(True))


def test_only_test_all_audits_the_dependencies_after_all_tests():
    def names(everything):
        wanted = run.stages(everything=everything, coverage=False)
        return [stage.name for stage in wanted]

    assert names(True) == [*names(False), "dependency audit"]


def test_the_summary_has_the_note_of_a_stage_but_no_old_one(report):
    note = report.with_name("note")
    note.write_text("an old note")
    script = "printf 'not audited: no network' > \"$1\""
    wanted = [run.Stage("audit", ("sh", "-c", script, "sh", note), note=note)]
    assert "not audited: no network" in run.summary(gate_of(*wanted))
    gate = gate_of(run.Stage("checks", BADLY), *wanted)
    assert not any("audited" in line for line in run.summary(gate))


def test_sigterm_ends_what_runs(tmp_path):
    script = (
        "import signal, sys\n"
        "from tests import run\n"
        "signal.signal(signal.SIGTERM, run._raise_interrupt)\n"
        "gate = run.Gate([run.Stage('s', ('sh', '-c', 'echo $$; "
        "exec sleep 600'))], 900)\n"
        "try:\n    gate.run()\n"
        "except KeyboardInterrupt:\n    sys.exit(7)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        cwd=run.CHECKOUT,
    ) as process:
        assert process.stdout.readline().startswith("== s")
        child = int(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 7
    assert not psutil.pid_exists(child)

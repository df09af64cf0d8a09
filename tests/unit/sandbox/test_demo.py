"""The task of a demo, with a script in place of Rally."""

import json
import signal

import pytest

from rally_magnum_sandbox import demo
from rally_magnum_sandbox import settings
from rally_magnum_scale import exceptions
from rally_magnum_scale import interruption

# Records each call, and writes the page named by the last argument.
RALLY = """#!/usr/bin/env python3
import json, os, pathlib, signal, sys, time
here = pathlib.Path(__file__).parent
words = sys.argv[1:]
with (here / "calls").open("a") as calls:
    calls.write(json.dumps(words) + "\\n")
plan = json.loads((here / "plan").read_text())
remembered = pathlib.Path(os.environ["HOME"]) / ".rally" / "globals"
if words[1] != "start" and remembered.read_text() != "the task":
    sys.exit("another task would be reported on")
if words[1] == "start":
    remembered.parent.mkdir()
    remembered.write_text("the task")
    if "interrupt" in plan:
        def end(number, frame):
            (here / "ended").write_text(signal.Signals(number).name)
            sys.exit(1)
        signal.signal(signal.SIGTERM, end)
        os.kill(os.getppid(), plan["interrupt"])
        time.sleep(60)
        (here / "ended").write_text("never")
    sys.exit(plan.get("status", 0))
if words[-1].endswith(".html") and not plan.get("no_pages"):
    pathlib.Path(words[-1]).write_text(os.environ["OS_USERNAME"])
sys.exit(plan.get("table", 0) if words[-1] == "-" else 0)
"""


@pytest.fixture
def run(tmp_path):
    sandbox = settings.Settings(tmp_path / "state", tmp_path / "cache")
    sandbox.state_dir.mkdir()
    rally = tmp_path / "rally"
    rally.write_text(RALLY)
    rally.chmod(0o755)

    def run(**plan):
        (tmp_path / "plan").write_text(json.dumps(plan))
        what = demo.Demo(
            tmp_path / "task", None, tmp_path / "reports", False, rally
        )
        return demo.run_task(sandbox, what, lines.append)

    lines = []
    run.lines = lines
    run.folder = tmp_path
    return run


def calls(run):
    text = (run.folder / "calls").read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_the_task_runs_and_its_pages_are_listed(run):
    assert run() == 0
    home = run.folder / "state" / "home"
    assert (home / ".rally" / "globals").read_text() == "the task"
    assert [words[:2] for words in calls(run)] == [
        ["task", "start"],
        ["task", "report"],
        ["task", "export"],
        ["task", "export"],
    ]
    for name in ("rally.html", "sla.html"):
        page = run.folder / "reports" / name
        assert page.read_text() == "admin"
        assert f"page: {page}" in run.lines


def test_the_exit_status_of_the_task_is_returned(run):
    assert run(status=2) == 2
    assert len(calls(run)) == 4


@pytest.mark.parametrize("plan", [{"no_pages": True}, {"table": 1}])
def test_a_missing_page_fails_the_demo(run, plan):
    assert run(**plan) == 1
    pages = [line for line in run.lines if line.startswith("page: ")]
    assert len(pages) == (0 if "no_pages" in plan else 2)


def test_pages_of_an_earlier_run_are_not_listed(run):
    assert run() == 0
    run.lines.clear()
    assert run(no_pages=True) == 1
    assert not any(line.startswith("page: ") for line in run.lines)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_stops_rally_and_waits_for_it(run, number):
    handlers = interruption.install()
    try:
        with pytest.raises(exceptions.Interrupted, match=number.name):
            run(interrupt=int(number))
    finally:
        interruption.restore(handlers)
        interruption.restore(interruption.install())
    assert (run.folder / "ended").read_text() == "SIGTERM"
    assert len(calls(run)) == 1
    assert not (run.folder / "reports").exists()


def test_bad_input_does_not_start_a_sandbox(run):
    sandbox = settings.Settings(run.folder / "other", run.folder / "cache")
    what = demo.Demo(run.folder / "none", None, run.folder / "reports", False)
    with pytest.raises(exceptions.InvalidInput, match="--task"):
        demo.demo(sandbox, what, run.lines.append)
    assert run.lines == []
    assert not sandbox.state_dir.exists()

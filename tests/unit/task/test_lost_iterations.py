"""What a real Rally says of iterations that were killed, or that failed."""

import json
import subprocess

from rally_magnum_scale.history import storage
from rally_magnum_scale.task.exporters import result_files
from tests.unit.task import test_runners

made_rally = test_runners.made_rally
rally = test_runners.rally


DEADLINE_S = 300


def call(folder, *arguments):
    return subprocess.run(
        [test_runners.RALLY, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
    )


def subtask(**arguments):
    # In one process: if it is killed while it holds the lock of a queue of
    # Rally's, another one would wait for that for ever.
    return {
        "title": "w",
        "scenario": {"DyingTest.die": arguments},
        "runner": {"constant": {"times": 4, "concurrency": 1}},
        "sla": {"bay_create_time@default": {"max_s": 60}},
    }


def test_what_is_not_all_there_holds_nowhere(rally):
    subtasks = [subtask(), subtask(killed=3), subtask(failed=3)]
    task = {"version": 2, "title": "t", "subtasks": subtasks}
    (rally / "task.json").write_text(json.dumps(task))
    started = call(rally, "task", "start", "task.json")
    call(rally, "task", "report", "--json", "--out", "results.json")
    runs = result_files.read_runs(rally / "results.json")
    assert len(runs) == 3, started.stdout + started.stderr
    whole, killed, failed = runs
    assert (whole.state, whole.judged[0].holds) == (storage.HOLDS, True)
    for lacking in (killed, failed):
        assert lacking.state == storage.BROKEN, lacking.sentence
        assert not lacking.judged[0].holds
    assert "of 4 iterations have a result" in killed.sentence
    assert "failed: RuntimeError: it broke at last" in failed.sentence
    # Its status is the number of criteria that failed.
    checked = call(rally, "task", "sla-check")
    assert checked.returncode == 2, checked.stdout
    assert "of 4 iterations have a result - Failed" in checked.stdout

import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale.in_bay.stats.steps import Plan
from rally_magnum_scale.in_bay.stats.steps import Step
from rally_magnum_scale.workload.load_spec import Deadlines
from tests.unit.runs.scripted_load import BASE
from tests.unit.runs.scripted_load import FIRST_SECOND
from tests.unit.runs.scripted_load import PREFIX
from tests.unit.runs.scripted_load import WINDOWS
from tests.unit.runs.scripted_load import WORKERS
from tests.unit.runs.scripted_load import Run
from tests.unit.runs.scripted_load import end
from tests.unit.runs.scripted_load import listed
from tests.unit.runs.scripted_load import log_of
from tests.unit.runs.scripted_load import pod
from tests.unit.runs.scripted_load import record
from tests.unit.runs.scripted_load import running
from tests.unit.runs.scripted_load import script_of
from tests.unit.runs.scripted_load import spec_of

pytestmark = pytest.mark.usefixtures("short_waits")


def test_a_locust_file_that_locust_refuses_fails_with_locusts_message():
    reason = "locust_file: Locust finds no user class in it"
    event = record(
        "event",
        second=FIRST_SECOND,
        kind="locust_file_refused",
        detail=reason,
    )
    refused = end(windows=0, requests=0, workers_connected=0, reasons=[reason])
    # It ends as soon as it has reported this, before it was seen Ready.
    ended = pod("master", 3, state={"terminated": {}}, phase="Succeeded")
    script = script_of(
        [[*log_of(event, refused), "END"]],
        **{f"{BASE}/pods?master": [listed(ended)]},
    )
    one = spec_of(plan=Plan((Step(None, 2, 1),)), locust_file="", users=7)
    run = Run(script, one)
    assert isinstance(run.error, exceptions.WorkloadError)
    assert str(run.error) == f"The load in the bay b has no figures: {reason}."
    assert f"locust_file_refused: {reason}" in run.log


def test_a_master_that_dies_fails_the_load_with_the_end_of_its_log():
    log = [[*log_of(*WINDOWS[:2], "Killed"), "END"]]
    ended = {f"{BASE}/pods/{PREFIX}-master/status": [running("Failed")]}
    run = Run(script_of(log, **ended))
    assert isinstance(run.error, exceptions.WorkloadError)
    assert str(run.error).endswith("log ends with: Killed")
    # What was measured until then is kept, and not valid.
    assert len(run.found.windows) == 2
    (step,) = run.found.throughput.steps
    assert step.reasons


def test_a_master_whose_pod_is_gone_fails_the_load():
    gone = {f"{BASE}/pods/{PREFIX}-master/status": [404]}
    run = Run(script_of([404], **gone))
    assert isinstance(run.error, exceptions.WorkloadError)


def test_workers_that_never_connect_fail_the_load():
    reason = "1 of 1 workers did not connect within 300 s"
    event = record("event", second=0, kind="workers_missing", detail=reason)
    last = end(windows=0, requests=0, workers_connected=0, reasons=[reason])
    run = Run(script_of([[*log_of(event, last), "END"]]))
    assert isinstance(run.error, exceptions.WorkloadError)
    assert reason in str(run.error)
    assert f"workers_missing: {reason}" in run.log
    (step,) = run.found.throughput.steps
    assert reason in step.reasons


def test_targets_that_never_answer_fail_the_load():
    reason = "no request was answered as expected, only 7 timeout"
    last = end(requests=0, failures={"timeout": 7}, reasons=[reason])
    run = Run(script_of([[*log_of(*WINDOWS, last), "END"]]))
    assert isinstance(run.error, exceptions.WorkloadError)
    assert reason in str(run.error)
    assert len(run.found.windows) == 3


def test_workers_that_die_before_they_connect_fail_the_load():
    killed = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    dead = [
        pod("worker", number, state=killed, phase="Failed")
        for number in (4, 5)
    ]
    # Ready for a moment, and an API that is away for another.
    workers = [WORKERS, 500, listed(*dead)]
    # Locust keeps reporting that it waits for them.
    log = [log_of(*["waiting for workers"] * 50)]
    run = Run(script_of(log, **{f"{BASE}/pods?worker": workers}))
    assert isinstance(run.error, exceptions.WorkloadError)
    assert "OOMKilled" in str(run.error)


def test_a_broken_log_connection_loses_no_window():
    lines = log_of(*WINDOWS, end())
    log = [lines[:1], [*lines[:2], lines[2][:30] + "~"], [*lines, "END"]]
    run = Run(script_of(log))
    assert run.error is None
    assert run.found.end.windows == len(run.found.windows) == 3


def test_a_load_that_does_not_end_exceeds_its_deadline():
    run = Run(
        script_of([log_of(*WINDOWS)]),
        spec_of(deadlines=Deadlines(connect_s=1)),
    )
    assert isinstance(run.error, exceptions.DeadlineExceeded)
    assert len(run.found.windows) == 3

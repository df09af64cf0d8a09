"""Everything that makes a run invalid, in real processes of Locust.

That workers are missing, killed or without an answer is in
``test_locust_run``, with the engine, and in ``test_own_file``.
"""

import contextlib
import threading

import psutil
import pytest

from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.in_bay.stats import step_summary
from rally_magnum_scale.in_bay.stats.steps import Step
from tests.unit.in_bay.processes import REPORTING_OFTEN
from tests.unit.in_bay.processes import of

# A Locust file whose only task does this before it reports a request.
TASK = """
import hashlib
import gevent
from gevent import monkey
from locust import User, constant, task

POOL = gevent.get_hub().threadpool

class Busy(User):
    wait_time = constant({wait_s})

    @task
    def ask(self):
        {does}
        self.environment.events.request.fire(
            request_type="X", name="x", response_time=1.0,
            response_length=0, exception=None,
        )
"""

# As on a processor of a tenth of the speed: others may want this one, too.
SLOWED = """
import time
used_ns = time.process_time_ns
time.process_time_ns = lambda: 10 * used_ns()
"""

SHIFTED = """
import time
now, now_ns = time.time, time.time_ns
time.time = lambda: now() + {by_s}
time.time_ns = lambda: now_ns() + {by_s} * 1_000_000_000
"""

# Of so many, some are answered at once by a busy machine, too.
PROBING_OFTEN = """
from rally_magnum_scale.in_bay import master
master.CLOCK_PROBES = 40
master.CLOCK_PROBE_EVERY_S = 0.03
"""

# Locust waits a minute until it hands a dead worker's users on.
IMPATIENT = (
    "import locust.runners; locust.runners.HEARTBEAT_DEAD_INTERNAL = -2"
)


def reasons(bay, found):
    """Return why the only step of a run is invalid."""
    (one,) = reasons_by_step(bay, found)
    return one


def reasons_by_step(bay, found):
    """Return why each step of a run is invalid."""
    run = records.collect(found)
    steps = step_summary.summarise(
        bay.spec.traffic.plan,
        run.windows,
        run.end,
        cores_pods=None,
        cores_real_nodes=None,
    )
    return [one.reasons for one in steps]


def kinds(found):
    return [one["kind"] for one in of(found, "event")]


@contextlib.contextmanager
def throttled(process, *, stopped_s, running_s):
    """Let a process run now and then, as the kernel does at a CPU limit."""
    over = threading.Event()

    def throttle():
        with contextlib.suppress(psutil.NoSuchProcess):
            while not over.wait(running_s):
                process.suspend()
                over.wait(stopped_s)
                process.resume()

    thread = threading.Thread(target=throttle)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def stop_for(process, seconds):
    process.suspend()
    timer = threading.Timer(seconds, process.resume)
    timer.start()
    return timer


def of_worker(popen):
    return psutil.Process(popen.pid)


def test_a_generator_that_sends_late_is_the_limit(make_bay, serve):
    bay = make_bay(serve().url, Step(200, 3, 1), workers=1)
    worker = bay.start_worker()
    master = bay.start_master()
    bay.wait_for_start(master)
    with throttled(of_worker(worker), stopped_s=0.06, running_s=0.04):
        found = bay.records(master)
    assert found[-1]["reasons"] == []
    assert any(
        "it sent 1 % of its requests" in one for one in reasons(bay, found)
    )


def test_a_generator_without_cpu_time_is_the_limit(make_bay):
    # In threads of the system, which leave the event loop in peace.
    burn = 'POOL.apply(hashlib.pbkdf2_hmac, ("sha256", b"a", b"b", 20_000))'
    bay = make_bay(
        "http://127.0.0.1:1/",
        Step(None, 3, 1),
        workers=1,
        locust_file=TASK.format(wait_s=0, does=burn),
        users=4,
    )
    bay.start_worker(before=SLOWED)
    found = bay.records(bay.start_master())
    assert found[-1]["reasons"] == []
    assert any(
        "its busiest process was " in one for one in reasons(bay, found)
    )


def test_a_generator_whose_loop_is_blocked_is_the_limit(make_bay):
    block = 'monkey.get_original("time", "sleep")(0.15)'
    bay = make_bay(
        "http://127.0.0.1:1/",
        Step(None, 3),
        workers=1,
        locust_file=TASK.format(wait_s=0.2, does=block),
        users=2,
    )
    bay.start_worker()
    found = bay.records(bay.start_master())
    assert found[-1]["reasons"] == []
    assert any("its event loop was " in one for one in reasons(bay, found))


def test_a_standstill_of_the_generator_is_reported(make_bay, serve):
    plan = (Step(None, 4), Step(200, 4))
    bay = make_bay(serve().url, *plan, workers=1)
    worker = bay.start_worker(REPORTING_OFTEN)
    master = bay.start_master()
    for step in (1, 2):
        bay.first_window(master, step)
        timer = stop_for(of_worker(worker), 0.8)
        timer.join()
    found = bay.records(master)
    assert found[-1]["reasons"] == []
    reason = "stalled: its event loop was"
    for step in reasons_by_step(bay, found):
        assert any(reason in one for one in step)


def test_a_wrong_clock_is_reported(make_bay, serve):
    bay = make_bay(serve().url, Step(100, 2), workers=3)
    bay.start_worker()
    for by_s in (2, -2):
        bay.start_worker(before=SHIFTED.format(by_s=by_s))
    found = bay.records(bay.start_master(before=PROBING_OFTEN))
    assert "clock_skew" in kinds(found)
    skews = [one for one in found[-1]["reasons"] if "clock" in one]
    assert len(skews) == 2
    for skew in ("+2.0", "-2.0"):
        assert any(f"differs by {skew} s" in one for one in skews)


def test_late_windows_are_reported(make_bay, serve):
    bay = make_bay(serve().url, Step(100, 7), lateness_s=2.0)
    first, _ = [bay.start_worker(REPORTING_OFTEN) for _ in range(2)]
    master = bay.start_master()
    bay.first_window(master)
    # Less than what Locust takes a worker for dead after.
    timer = stop_for(of_worker(first), 3.5)
    found = bay.records(master)
    timer.join()
    of_run = found[-1]["reasons"]
    assert any("came more than 2 s late" in one for one in of_run)
    step = reasons(bay, found)
    assert any("not all workers reported" in one for one in step)


def test_a_process_with_a_dead_workers_user_is_reported(make_bay, serve):
    server = serve()
    bay = make_bay(server.url, Step(100, 13))
    first, second = [bay.start_worker(REPORTING_OFTEN) for _ in range(2)]
    master = bay.start_master(before=IMPATIENT)
    bay.first_window(master)
    first.kill()
    found = bay.records(master)
    assert kinds(found) == ["worker_died", "second_engine_refused"]
    assert found[-1]["reasons"][1].startswith(
        "Locust moved a dead worker's user"
    )
    # It went on with one engine, its own: two would send twice as much.
    whole = [one for one in of(found, "window") if one["phase"] == "steady"]
    assert sum(one["requests"] for one in whole[-4:]) == pytest.approx(
        4 * 50, abs=50
    )
    assert second.wait(10) == 0

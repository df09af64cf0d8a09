"""A real Locust master and real workers with our engine."""

import contextlib
import dataclasses
import signal
import socket
import sys
import time

import gevent
import psutil
import pytest

from rally_magnum_scale.in_bay import worker as worker_module
from rally_magnum_scale.in_bay.stats.steps import Step
from rally_magnum_scale.in_bay.stats.windows import Window
from rally_magnum_scale.workload.load_spec import Deadlines
from tests.unit import loads
from tests.unit.in_bay.processes import REPORTING_OFTEN
from tests.unit.in_bay.processes import of


def _has_ipv6():
    with (
        contextlib.suppress(OSError),
        socket.create_server(("::1", 0), family=socket.AF_INET6),
    ):
        return True
    return False


def test_a_load_of_two_workers_and_two_steps(make_bay, serve):
    server = serve()
    bay = make_bay(server.url, Step(200, 1, 1), Step(400, 1))
    workers = [bay.start_worker(), bay.start_worker()]
    master = bay.start_master()
    records = bay.records(master)
    windows = [Window.from_json(one) for one in of(records, "window")]
    end = records[-1]
    assert end["record"] == "end"
    assert end["reasons"] == []
    assert of(records, "event") == []
    assert end["windows"] == len(windows) == 4
    assert [one.phase for one in windows] == [
        "ramp",
        *["steady"] * 2,
        "stop",
    ]
    assert [one.step for one in windows] == [1, 1, 2, 2]
    assert [one.second - windows[0].second for one in windows] == [*range(4)]
    assert all(one.workers == 2 for one in windows)
    assert server.requests == end["requests"]
    assert server.requests == sum(one.requests for one in windows)
    assert end["requests"] == pytest.approx(700, abs=2)
    assert end["due"] == [200, 400]
    assert (master.returncode, end["failures"]) == (0, {})
    assert [worker.wait(10) for worker in workers] == [0, 0]


def test_a_pod_of_two_processes_is_two_workers(make_bay, serve):
    server = serve()
    bay = make_bay(
        server.url,
        Step(100, 2),
        workers=1,
        processes_per_worker=2,
        connections_per_worker=3,
    )
    pod = bay.start_worker()
    records = bay.records(bay.start_master())
    end = records[-1]
    assert end["reasons"] == []
    assert (end["workers_expected"], end["workers_connected"]) == (2, 2)
    assert all(one["workers"] == 2 for one in of(records, "window")[:2])
    assert server.requests == end["requests"] == pytest.approx(200, abs=2)
    assert server.connections == 3
    assert pod.wait(10) == 0


def test_a_killed_process_of_a_pod_makes_the_run_invalid(make_bay, serve):
    bay = make_bay(
        serve().url, Step(200, 5), workers=1, processes_per_worker=2
    )
    pod = bay.start_worker(REPORTING_OFTEN)
    master = bay.start_master()
    assert bay.first_window(master)["workers"] == 2
    (first, _) = psutil.Process(pod.pid).children()
    first.kill()
    records = bay.records(master)
    (reason,) = records[-1]["reasons"]
    assert reason.endswith("died")
    assert of(records, "window")[-1]["workers"] == 1
    pod.wait(10)


def test_pod_addresses_share_the_load_evenly(make_bay, serve):
    servers = [serve(), serve(), serve()]
    bay = make_bay(
        "http://127.0.0.1:1/",
        Step(300, 2),
        workers=2,
        connections_per_worker=3,
        targets=3,
        target_address="pod",
    )
    bay.addresses = [f"127.0.0.1:{one.port}" for one in servers]
    workers = [bay.start_worker(), bay.start_worker()]
    records = bay.records(bay.start_master())
    end = records[-1]
    assert (end["reasons"], end["failures"]) == ([], {})
    requests = [one.requests for one in servers]
    assert sum(requests) == end["requests"] == pytest.approx(600, abs=2)
    assert [one.connections for one in servers] == [2, 2, 2]
    assert min(requests) > 100
    assert [worker.wait(10) for worker in workers] == [0, 0]


@pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6")
@pytest.mark.parametrize("target_address", ["service", "pod"])
def test_a_load_runs_in_a_bay_with_ipv6_only(make_bay, serve, target_address):
    server = serve(host="::1")
    bay = make_bay(
        server.url,
        Step(200, 1),
        service_ip="::1",
        targets=1,
        target_address=target_address,
    )
    if target_address == "pod":
        bay.addresses = [f"[::1]:{server.port}"]
    workers = [bay.start_worker(), bay.start_worker()]
    end = bay.records(bay.start_master())[-1]
    assert (end["reasons"], end["failures"]) == ([], {})
    assert server.requests == end["requests"] == 200
    assert [worker.wait(10) for worker in workers] == [0, 0]


def test_a_target_that_never_answers_makes_the_run_invalid(
    make_bay, serve, behaviour
):
    server = serve(behaviour.silence)
    bay = make_bay(server.url, Step(50, 1), workers=1, timeout_s=1.0)
    bay.start_worker()
    master = bay.start_master()
    records = bay.records(master)
    (reason,) = records[-1]["reasons"]
    assert reason.startswith("no request was answered as expected, only ")
    assert records[-1]["requests"] == 0
    assert of(records, "event")[-1]["kind"] == "no_answer"
    assert master.returncode == 0


def test_a_master_that_is_killed_leaves_no_end(make_bay, serve):
    bay = make_bay(serve().url, Step(100, 30), workers=1)
    bay.start_worker(REPORTING_OFTEN)
    master = bay.start_master()
    bay.first_window(master)
    master.kill()
    assert of(bay.records(master), "end") == []
    assert master.returncode == -signal.SIGKILL


def test_a_killed_worker_makes_the_run_invalid(make_bay, serve):
    bay = make_bay(serve().url, Step(200, 5))
    first, _ = [bay.start_worker(REPORTING_OFTEN) for _ in range(2)]
    master = bay.start_master()
    assert bay.first_window(master)["workers"] == 2
    first.send_signal(signal.SIGKILL)
    records = bay.records(master)
    end = records[-1]
    assert len(end["reasons"]) == 1
    assert end["reasons"][0].endswith("died")
    assert of(records, "event")[0]["kind"] == "worker_died"
    assert of(records, "window")[-1]["workers"] == 1
    assert master.returncode == 0


def test_a_missing_worker_ends_the_wait(make_bay, serve):
    server = serve()
    bay = make_bay(
        server.url, Step(200, 1), deadlines=Deadlines(connect_s=5.0)
    )
    worker = bay.start_worker()
    master = bay.start_master()
    records = bay.records(master)
    assert [one["record"] for one in records] == ["event", "end"]
    assert records[-1]["workers_connected"] == 1
    assert records[-1]["reasons"] == [
        "1 of 2 workers did not connect within 5 s"
    ]
    assert server.requests == 0
    assert master.returncode == 0
    assert worker.wait(10) == 0


def test_a_stopped_master_still_says_how_it_ended(make_bay, serve):
    bay = make_bay(serve().url, Step(100, 30), workers=1)
    bay.start_worker(REPORTING_OFTEN)
    master = bay.start_master()
    bay.first_window(master)
    master.terminate()
    end = bay.records(master)[-1]
    assert end["record"] == "end"
    assert any("was stopped" in one for one in end["reasons"])


def test_a_worker_waits_for_a_plain_connection(serve, free_port):
    port = serve().port
    worker_module.wait_for_master("127.0.0.1", port, deadline_s=5.0)
    waits = []
    with pytest.raises(TimeoutError, match="Check its pod"):
        worker_module.wait_for_master(
            "127.0.0.1", free_port, deadline_s=0.05, sleep=waits.append
        )


class Runner:
    """The half of a Locust runner that a worker of ours speaks to."""

    def __init__(self):
        self.sent = []

    def send_message(self, kind, data):
        self.sent.append((kind, data))


@dataclasses.dataclass
class Environment:
    runner: Runner
    stats: None = None


def order(url):
    job = loads.job(url, Step(20, 1))
    return {
        "job": job.to_json(),
        "start_second": int(time.time()) + 1,
        "worker": 0,
        "workers": 1,
    }


def test_a_process_runs_one_engine_and_refuses_another(serve):
    server = serve()
    in_locust = []
    worker = worker_module.Worker(
        worker_module.run_engine(lambda *given: in_locust.append(given))
    )
    environment = Environment(Runner())
    worker.order.set(order(server.url))
    worker.drive(environment)
    worker.drive(environment)
    assert [kind for kind, _ in environment.runner.sent] == [
        "rms_done",
        "rms_refused",
    ]
    done = environment.runner.sent[0][1]
    assert done["outcome"]["requests"] == server.requests > 0
    counted = sum(one["requests"] for one in done["windows"])
    assert counted == server.requests
    assert len(in_locust) == len(done["windows"])


def test_heartbeats_are_sent_while_the_engine_runs(serve):
    beats = []

    def beat():
        while True:
            beats.append(time.monotonic())
            gevent.sleep(0.1)

    worker = worker_module.Worker(worker_module.run_engine(lambda *_: None))
    worker.order.set(order(serve().url))
    heart = gevent.spawn(beat)
    try:
        worker.drive(Environment(Runner()))
    finally:
        heart.kill()
    # The run lasts from one to two seconds, and a turn of the loop 50 ms.
    assert len(beats) >= 3


def test_a_broken_engine_is_reported():
    worker = worker_module.Worker(worker_module.run_engine(lambda *_: None))
    environment = Environment(Runner())
    worker.order.set(order("http://no such host:1/"))
    with pytest.raises(OSError):
        worker.drive(environment)
    assert environment.runner.sent[0][0] == "rms_broken"


def test_nothing_that_the_tests_import_patches_the_process():
    assert "locust" not in sys.modules

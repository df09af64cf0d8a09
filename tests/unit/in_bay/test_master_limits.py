"""Limits of a Locust master: late reports, and many workers."""

import contextlib
import signal
import socket
import time

import gevent
import pytest

from rally_magnum_scale.in_bay import master
from rally_magnum_scale.in_bay import messages
from rally_magnum_scale.in_bay import worker
from rally_magnum_scale.in_bay.stats.steps import Step
from tests.unit import fresh_python
from tests.unit.in_bay import test_master
from tests.unit.in_bay.processes import DEADLINE_S
from tests.unit.in_bay.processes import REPORTING_OFTEN
from tests.unit.in_bay.processes import of

STANDSTILL_S = master.BEHIND_MAX_S + 1.0


def test_a_master_that_stands_still_makes_the_run_invalid(make_bay, serve):
    server = serve()
    bay = make_bay(server.url, Step(100, 8))
    workers = [bay.start_worker(REPORTING_OFTEN) for _ in range(2)]
    process = bay.start_master()
    bay.first_window(process)
    process.send_signal(signal.SIGSTOP)
    time.sleep(STANDSTILL_S)
    process.send_signal(signal.SIGCONT)
    records = bay.records(process)
    (reason,) = records[-1]["reasons"]
    assert reason.startswith(
        "the Locust master fell behind its workers: it stalled for "
    )
    assert [one["kind"] for one in of(records, "event")] == ["master_behind"]
    # The workers measured on, and nothing of that is lost.
    assert records[-1]["requests"] == server.requests
    assert all(one["workers"] == 2 for one in of(records, "window")[:7])
    assert [worker.wait(10) for worker in workers] == [0, 0]


class LateRunner(test_master.Runner):
    """A runner whose reports have waited to be read before they came.

    :param late_s: worker to how long its report waited
    """

    def __init__(self, late_s):
        super().__init__(dict.fromkeys(late_s, 1))
        self.late_s = late_s
        self.report = None

    def send_message(self, kind, data, client_id=None):
        if kind != messages.START:
            super().send_message(kind, data, client_id)
            return
        gevent.spawn_later(0.1, self._send_report, client_id)
        gevent.spawn_later(0.5, super().send_message, kind, data, client_id)

    def _send_report(self, name):
        sent_s = time.time() - self.late_s[name]
        self.report(name, {messages.SENT_KEY: sent_s})


def reasons_with(monkeypatch, capfd, late_s):
    runner = LateRunner(late_s)
    monkeypatch.setattr(test_master, "Runner", lambda _: runner)

    class Hook(test_master.Hook):
        def add_listener(self, listener):
            super().add_listener(listener)
            if listener.__name__ == "_take_report":
                runner.report = listener

    monkeypatch.setattr(test_master, "Hook", Hook)
    _, records = test_master.conduct({}, capfd)
    return records[-1]["reasons"]


def test_reports_that_are_read_late_make_the_run_invalid(monkeypatch, capfd):
    late_s = dict.fromkeys(test_master.WORKERS, master.BEHIND_MAX_S + 0.5)
    (reason,) = reasons_with(monkeypatch, capfd, late_s)
    assert reason.startswith("the Locust master fell behind its workers: it ")
    assert reason.endswith(" s after they were sent")


def test_one_slow_worker_does_not_mean_that_the_master_is_behind(
    monkeypatch, capfd
):
    assert reasons_with(monkeypatch, capfd, {"one": 60.0, "two": 0.0}) == []


def test_hundreds_of_workers_can_connect_at_once(make_bay, serve, free_port):
    bay = make_bay(serve().url, Step(100, 1), workers=500)
    process = bay.start_master()
    worker.wait_for_master("127.0.0.1", free_port, deadline_s=DEADLINE_S)
    process.send_signal(signal.SIGSTOP)
    with contextlib.ExitStack() as knocking:
        for _ in range(300):
            knocking.enter_context(
                socket.create_connection(("127.0.0.1", free_port), timeout=5)
            )
    assert process.poll() is None


def limit(soft, hard):
    return (
        "import resource\n"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))\n"
    )


def test_a_limit_of_open_files_that_is_too_low_is_reported(make_bay, serve):
    bay = make_bay(serve().url, Step(100, 1), workers=100)
    process = bay.start_master(limit(100, 150))
    assert process.wait(DEADLINE_S) == 3
    assert (
        bay.log("master")
        .splitlines()[-1]
        .startswith(
            "OSError: The Locust master may open 150 files, and 100 workers "
            "need 200. Raise the limit of open files "
        )
    )


@pytest.mark.parametrize(
    ("before", "after"), [((100, 250), "200"), ((210, 250), "210")]
)
def test_the_limit_of_open_files_is_raised_as_needed(before, after):
    program = limit(*before) + (
        "from rally_magnum_scale.in_bay import master_limits\n"
        "master_limits.raise_open_files(100)\n"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    assert fresh_python.run(program).split() == [after]

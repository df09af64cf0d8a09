"""What Locust's request events come to: first without Locust, then with."""

import time
import types

import gevent
import pytest

from rally_magnum_scale.measurement.histogram import Histogram
from rally_magnum_scale.measurement.steps import Plan
from rally_magnum_scale.measurement.steps import Step
from rally_magnum_scale.measurement.windows import Window
from rally_magnum_scale.workload.in_bay import own_file
from rally_magnum_scale.workload.in_bay.job import Job
from tests.unit.workload.processes import REPORTING_OFTEN
from tests.unit.workload.processes import of

START = 1000
NS_PER_S = 1_000_000_000


class Clock:
    """Time that passes only while the users are let run.

    :param late_s: what a sleep takes beyond what was asked for, by the
        second of the plan in which it ends
    """

    def __init__(self, late_s=None):
        self.now_ns = 0
        self.due = []
        self._late_s = late_s or {}

    def at(self, offset_s, call):
        self.due.append((int(offset_s * NS_PER_S), call))

    def sleep(self, seconds):
        self.now_ns += int(seconds * NS_PER_S)
        late_s = self._late_s.pop(self.now_ns // NS_PER_S, 0)
        self.now_ns += int(late_s * NS_PER_S)
        for one in [one for one in self.due if one[0] <= self.now_ns]:
            self.due.remove(one)
            one[1]()
        gevent.sleep(0)


class Runner:
    """A worker's runner whose users stop some seconds after they must."""

    def __init__(self, clock, users, stop_takes_s):
        self.environment = types.SimpleNamespace(stop_timeout=0.0)
        self.target_user_count = self.user_count = users
        self._clock = clock
        self._stop_takes_s = stop_takes_s

    def stop(self):
        self.stop_timeout = self.environment.stop_timeout
        after_s = self._clock.now_ns / NS_PER_S + self._stop_takes_s
        self._clock.at(after_s, lambda: setattr(self, "user_count", 0))


def watch(clock, *steps, requests=(), users=2, stop_takes_s=0.0):
    """Watch a plan; return the outcome, the windows and the runner.

    :param requests: when each ends, in seconds of the plan, and its event
    """
    reported = []
    job = Job("t", 1, "b", Plan(steps), "http://h/", 1, timeout_s=2.0)
    watched = own_file.Watch(
        job,
        START,
        reported.append,
        sleep=clock.sleep,
        clock_ns=lambda: clock.now_ns,
        # One second before the plan begins.
        wall_ns=lambda: (START - 1) * NS_PER_S + clock.now_ns,
    )
    for offset_s, event in requests:
        clock.at(
            offset_s + 1,
            lambda event=event: watched.take(
                **{"request_type": "GET", "name": "/", **event}
            ),
        )
    runner = Runner(clock, users, stop_takes_s)
    return watched.run(runner), reported, runner


def test_a_request_is_in_the_second_in_which_it_ended():
    ended = [0.2, 0.9, 1.4, 1.5, 1.6]
    outcome, windows, _ = watch(
        Clock(),
        Step(None, 1, 1),
        requests=[(at, {"response_time": 300.0}) for at in ended],
    )
    assert [one.requests for one in windows] == [2, 3, 0]
    assert [one.second for one in windows] == [1000, 1001, 1002]
    assert [one.phase for one in windows] == ["ramp", "steady", "stop"]
    assert (outcome.requests, outcome.failures) == (5, {})
    assert outcome.reasons == {}


def test_a_response_time_keeps_its_microseconds():
    times_ms = [0.0571, 1.2345, 12.5]
    _, windows, _ = watch(
        Clock(),
        Step(None, 1),
        requests=[(0.5, {"response_time": one}) for one in times_ms],
    )
    whole_us = {57: 1, 1234: 1, 12_500: 1}
    assert windows[0].latency_us == Histogram.from_values_us(whole_us)
    assert windows[0].service_us == windows[0].latency_us


class ConnectionResetByPeer(Exception):
    pass


class HTTPError(Exception):
    pass


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ({"exception": ConnectionResetByPeer()}, "connection_reset_by_peer"),
        ({"exception": HTTPError()}, "http_error"),
        ({"exception": "a text"}, "failed"),
        ({"exception": HTTPError(), "response_time": None}, "http_error"),
        ({"response_time": None}, "no_response_time"),
        ({"response_time": float("nan")}, "no_response_time"),
        ({"response_time": -1.0}, "no_response_time"),
    ],
)
def test_failures_are_counted_by_kind(event, kind):
    outcome, windows, _ = watch(
        Clock(),
        Step(None, 1),
        requests=[(0.5, {"response_time": 5.0, **event})],
    )
    assert windows[0].failures == outcome.failures == {kind: 1}
    assert windows[0].requests == outcome.requests == 0


def test_what_is_not_of_the_plan_is_not_counted():
    outcome, windows, _ = watch(
        Clock(),
        Step(None, 1),
        requests=[
            (-0.5, {"response_time": 1.0}),
            # It began before the end of the plan, and ends after it.
            (1.4, {"response_time": 500.0}),
            # It began after the end.
            (1.5, {"response_time": 400.0}),
            (1.5, {"response_time": None, "exception": HTTPError()}),
        ],
        stop_takes_s=0.8,
    )
    assert [one.requests for one in windows] == [0, 1]
    assert windows[1].phase == "stop"
    assert windows[1].latency_us == Histogram.from_values_us({500_000: 1})
    assert (outcome.requests, outcome.failures) == (1, {})


def test_seconds_that_were_slept_away_have_windows_too():
    _, windows, _ = watch(
        Clock(late_s={3: 2.5}),
        Step(None, 6),
        requests=[(0.5, {"response_time": 1.0}), (5.5, {"response_time": 1})],
    )
    assert [one.second - START for one in windows] == [*range(7)]
    assert [one.requests for one in windows] == [1, 0, 0, 0, 0, 1, 0]
    # The sleep began in the second that was to end with it.
    assert [one.loop_delay_max_us for one in windows[:3]] == [0, 2_500_000, 0]


def test_users_have_time_to_end_what_they_do():
    outcome, windows, runner = watch(
        Clock(),
        Step(None, 1),
        requests=[(2.5, {"response_time": 1800.0})],
        stop_takes_s=1.6,
    )
    assert (outcome.requests, outcome.reasons) == (1, {})
    assert [one.phase for one in windows] == ["steady", "stop", "stop"]
    # Locust must not kill them before the time is over.
    assert runner.stop_timeout > 2.0
    assert runner.environment.stop_timeout == 0.0


def test_tasks_that_do_not_end_make_the_run_invalid():
    outcome, windows, _ = watch(
        Clock(),
        Step(None, 1),
        requests=[(0.5, {"response_time": 1.0})],
        stop_takes_s=60.0,
    )
    assert [*outcome.reasons] == ["tasks_unfinished"]
    assert "still ran 2 s" in outcome.reasons["tasks_unfinished"]
    assert len(windows) == 4


def test_a_worker_without_a_request_makes_the_run_invalid():
    outcome, _, _ = watch(Clock(), Step(None, 1))
    assert [*outcome.reasons] == ["no_request"]


PRINTING = """
print("no newline", end="")

from locust import User, constant, task

class Told(User):
    wait_time = constant(0.1)

    def fire(self, response_time, exception=None):
        self.environment.events.request.fire(
            request_type="X",
            name="x",
            response_time=response_time,
            response_length=0,
            exception=exception,
        )

    @task
    def ask(self):
        print("once more", end="")
        self.fire(1.2345)
        self.fire(1.2345, ValueError("no"))
        self.fire(1.2345, "no")
        raise KeyError("of the file")
"""

ASKING = """
from locust import HttpUser, constant_throughput, task

class Asker(HttpUser):
    wait_time = constant_throughput(10)

    @task
    def ask(self):
        self.client.get("/")
"""


def test_a_locust_file_of_its_own_gives_the_same_records(make_bay):
    bay = make_bay(
        "http://127.0.0.1:1/",
        Step(None, 2, 1),
        own_file=PRINTING,
        users=4,
    )
    workers = [bay.start_worker(), bay.start_worker()]
    records = bay.records(bay.start_master())
    end = records[-1]
    assert end["reasons"] == []
    windows = [one for one in records if one["record"] == "window"]
    assert [one["phase"] for one in windows[:3]] == ["ramp", *["steady"] * 2]
    assert [one["step"] for one in windows[:3]] == [1, 1, 1]
    assert [one["workers"] for one in windows[:3]] == [2, 2, 2]
    # Four users that wait 0.1 s: 40 a second, and less on a busy machine.
    assert 60 < end["requests"] < 125
    asked = end["requests"]
    # What a user fires in one go may lie on both sides of an end of the plan.
    assert end["failures"] == {
        "failed": pytest.approx(asked, abs=8),
        "value_error": pytest.approx(asked, abs=8),
    }
    seen = [Window.from_json(one) for one in windows]
    assert {us for one in seen for us in one.latency_us.counts} == {1234}
    assert [
        (one["kind"], one["detail"])
        for one in records
        if one["record"] == "event"
    ] == [("user_error", "users of the Locust file raised KeyError")]
    assert [one.wait(10) for one in workers] == [0, 0]


def test_the_windows_hold_what_the_target_has_seen(make_bay, serve, behaviour):
    seen_s = []

    def answer(connection, number):
        seen_s.append(time.time())
        behaviour.answer(connection, number)

    bay = make_bay(
        serve(answer).url,
        Step(None, 3),
        own_file=ASKING,
        users=6,
    )
    workers = [bay.start_worker(), bay.start_worker()]
    records = bay.records(bay.start_master())
    end = records[-1]
    assert (end["reasons"], end["failures"]) == ([], {})
    start = of(records, "start")[0]["second"]
    in_plan = [one for one in seen_s if start <= one < start + 3]
    # A request of each user may be on its way at either end.
    assert end["requests"] == pytest.approx(len(in_plan), abs=12)
    assert len(seen_s) > end["requests"] > 100
    assert [one.wait(10) for one in workers] == [0, 0]


def test_users_that_end_before_the_plan_make_the_run_invalid(make_bay, serve):
    ending = ASKING + "        self.stop(force=True)\n"
    bay = make_bay(
        serve().url,
        Step(None, 1),
        workers=1,
        own_file=ending,
        users=2,
    )
    bay.start_worker()
    records = bay.records(bay.start_master())
    kinds = [one["kind"] for one in of(records, "event")]
    assert "users_ended" in kinds
    assert any("never began" in one for one in records[-1]["reasons"])


def test_a_target_that_stalls_to_the_end_is_not_forgiven(
    make_bay, serve, behaviour
):
    def stall(connection, number):
        if number <= 20:
            behaviour.answer(connection, number)

    bay = make_bay(
        serve(stall).url,
        Step(None, 1),
        workers=1,
        own_file=ASKING,
        users=2,
        timeout_s=1.0,
    )
    bay.start_worker()
    records = bay.records(bay.start_master())
    (reason,) = (one for one in records[-1]["reasons"] if "still ran" in one)
    assert reason.endswith("what they asked last is not judged")


def test_a_killed_worker_of_an_own_file_makes_the_run_invalid(make_bay, serve):
    bay = make_bay(
        serve().url,
        Step(None, 5),
        own_file=ASKING,
        users=4,
    )
    first, _ = [bay.start_worker(REPORTING_OFTEN) for _ in range(2)]
    master = bay.start_master()
    assert bay.first_window(master)["workers"] == 2
    first.kill()
    records = bay.records(master)
    assert any(one.endswith("died") for one in records[-1]["reasons"])
    assert of(records, "window")[-1]["workers"] == 1

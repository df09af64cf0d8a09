"""Requests of a user's Locust file, without Locust and with it."""

import datetime
import decimal
import threading
import time

import gevent
import pytest

from rally_magnum_scale.in_bay import in_flight
from rally_magnum_scale.in_bay import own_file
from rally_magnum_scale.in_bay.stats import windows
from rally_magnum_scale.in_bay.stats.histogram import Histogram
from rally_magnum_scale.in_bay.stats.steps import Step
from rally_magnum_scale.in_bay.stats.windows import Window
from tests.unit import loads
from tests.unit.in_bay.processes import REPORTING_OFTEN
from tests.unit.in_bay.processes import of

START = 1000
NS_PER_S = 1_000_000_000


class Clock:
    """Time that passes only while the users are let run.

    :param late_s: how much longer a sleep takes than requested, by the
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


class User:
    """What stands for Locust's class of users."""


class Users:
    """Users of whom some must end their tasks by themselves.

    :param ends_s: after how many seconds of the plan they do
    """

    all_running = True

    def __init__(self, clock, ends_s):
        self._clock = clock
        self._ends_ns = int((ends_s + 1) * NS_PER_S)

    def stop_idle(self, end_ns):
        assert self._clock.now_ns >= end_ns
        return 2 if self._clock.now_ns < self._ends_ns else 0


def mark_answered(call):
    call.answered = True


def watch(clock, *steps, requests=(), calls=(), answered=0, ends_s=0.0):
    """Watch a plan; return the outcome and the windows.

    :param requests: when each ends, in seconds of the plan, and its event
    :param calls: when requests of Locust's clients that never end begin
    :param answered: how many of them are answered, and not judged
    :param ends_s: when the last user has ended its task
    """
    reported, begun = [], []
    job = loads.job("http://h/", *steps, timeout_s=2.0)
    flight = in_flight.InFlight(User, None, clock_ns=lambda: clock.now_ns)
    watched = own_file.Watch(
        job,
        START,
        reported.append,
        flight,
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
    for offset_s in calls:
        clock.at(offset_s + 1, lambda: begun.append(flight.begin(None)))
    clock.at(1.95, lambda: [mark_answered(one) for one in begun[:answered]])
    return watched.run(Users(clock, ends_s)), reported


def test_a_request_is_in_the_second_in_which_it_ended():
    ended = [0.2, 0.9, 1.4, 1.5, 1.6]
    outcome, windows = watch(
        Clock(),
        Step(None, 1, 1),
        requests=[(at, {"response_time": 300.0}) for at in ended],
    )
    assert [one.requests for one in windows] == [2, 3, 0]
    assert [one.second for one in windows] == [1000, 1001, 1002]
    assert [one.phase for one in windows] == ["ramp", "steady", "stop"]
    assert (outcome.requests, outcome.failures) == (5, {})
    assert outcome.reasons == {}


def test_a_request_belongs_to_the_step_in_which_it_began():
    plan = (Step(None, 1), Step(None, 1, 1))
    _, found = watch(
        Clock(),
        *plan,
        requests=[
            (0.5, {"response_time": 300.0}),
            # Begun in the first step, and ended in the ramp and the second.
            (1.5, {"response_time": 700.0}),
            (2.5, {"response_time": 1600.0, "exception": TimeoutError()}),
            # Begun before the plan, and in its last second.
            (0.6, {"response_time": 900.0}),
            (3.4, {"response_time": 600.0}),
            # When these began is not known.
            (2.6, {}),
            (3.5, {}),
        ],
        ends_s=4,
    )
    assert counted(found, 1, "steady") == (3, {"timeout_error": 1})
    assert counted(found, 2, "steady") == (1, {"no_response_time": 2})
    assert counted(found, 2, "ramp") == counted(found, 2, "stop") == (0, {})
    slowest = [
        one.latency_us.max_us for one in windows.due_in(found, 1, "steady")
    ]
    assert max(filter(None, slowest)) >= 900_000


def counted(found, step, phase):
    parts = windows.due_in(found, step, phase)
    return (
        sum(one.requests for one in parts),
        windows.add_counts(one.failures for one in parts),
    )


def test_a_response_time_keeps_its_microseconds():
    times_ms = [0.0571, 1.2345, 12.5]
    _, windows = watch(
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


class Unreadable:
    @property
    def __class__(self):
        raise HTTPError


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ({"exception": ConnectionResetByPeer()}, "connection_reset_by_peer"),
        ({"exception": HTTPError()}, "http_error"),
        ({"exception": "a text"}, "failed"),
        ({"exception": HTTPError(), "response_time": None}, "http_error"),
        ({"exception": HTTPError(), "response_time": "5"}, "http_error"),
        ({"response_time": None}, "no_response_time"),
        ({"response_time": float("nan")}, "bad_response_time"),
        ({"response_time": float("inf")}, "bad_response_time"),
        ({"response_time": -1.0}, "bad_response_time"),
        # It would have begun before there was a worker.
        ({"response_time": 1e300}, "bad_response_time"),
        ({"response_time": 3_000}, "bad_response_time"),
        ({"response_time": 10**400}, "bad_response_time"),
        ({"response_time": "5"}, "bad_response_time"),
        ({"response_time": True}, "bad_response_time"),
        ({"response_time": decimal.Decimal(5)}, "bad_response_time"),
        ({"response_time": datetime.timedelta(5)}, "bad_response_time"),
        ({"response_time": Unreadable()}, "bad_event"),
        ({"exception": Unreadable()}, "bad_event"),
    ],
)
@pytest.mark.parametrize("at_s", [0.5, 1.5])
def test_failures_are_counted_by_kind(event, kind, at_s):
    outcome, windows = watch(
        Clock(),
        Step(None, 1),
        requests=[(at_s, {"response_time": 600.0, **event})],
        ends_s=1.6,
    )
    windows = [one for one in windows if one.failures]
    assert windows[0].failures == outcome.failures == {kind: 1}
    assert windows[0].requests == outcome.requests == 0


def test_an_event_without_any_key_is_a_failure():
    outcome, _ = watch(
        Clock(),
        Step(None, 1),
        requests=[(0.5, {"response_time": None, "name": None})],
    )
    assert outcome.failures == {"no_response_time": 1}


def test_a_request_that_began_before_the_plan_counts_with_its_full_time():
    _, windows = watch(
        Clock(), Step(None, 1), requests=[(0.5, {"response_time": 1200})]
    )
    assert windows[0].latency_us == Histogram.from_values_us({1_200_000: 1})


def test_requests_outside_the_plan_are_not_counted():
    outcome, windows = watch(
        Clock(),
        Step(None, 1),
        requests=[
            (-0.5, {"response_time": 1.0}),
            (-0.5, {"response_time": "1"}),
            (-0.5, {"exception": HTTPError()}),
            # It began before the end of the plan, and ends after it.
            (1.4, {"response_time": 500.0}),
            # It began after the end.
            (1.5, {"response_time": 400.0}),
            (1.5, {"response_time": 400.0, "exception": HTTPError()}),
        ],
        ends_s=1.8,
    )
    assert [one.requests for one in windows] == [0, 1]
    assert windows[1].phase == "stop"
    assert windows[1].latency_us == Histogram.from_values_us({500_000: 1})
    assert (outcome.requests, outcome.failures) == (1, {})


def test_missed_seconds_have_windows():
    _, windows = watch(
        Clock(late_s={3: 2.5}),
        Step(None, 6),
        requests=[(0.5, {"response_time": 1.0}), (5.5, {"response_time": 1})],
    )
    assert [one.second - START for one in windows] == [*range(7)]
    assert [one.requests for one in windows] == [1, 0, 0, 0, 0, 1, 0]
    # The sleep began in the second that was to end with it.
    assert [one.loop_delay_max_us for one in windows[:3]] == [0, 2_500_000, 0]


def test_users_can_finish_their_requests_after_the_plan():
    outcome, windows = watch(
        Clock(),
        Step(None, 1),
        requests=[(2.5, {"response_time": 1800.0})],
        ends_s=2.6,
    )
    assert (outcome.requests, outcome.reasons) == (1, {})
    assert [one.phase for one in windows] == ["steady", "stop", "stop"]


def test_tasks_that_do_not_end_make_the_run_invalid():
    outcome, windows = watch(
        Clock(),
        Step(None, 1),
        requests=[(0.5, {"response_time": 1.0})],
        ends_s=60.0,
    )
    assert [*outcome.reasons] == ["tasks_unfinished"]
    assert "2 users" in outcome.reasons["tasks_unfinished"]
    assert "still ran 2 s" in outcome.reasons["tasks_unfinished"]
    assert len(windows) == 4


def test_requests_that_never_end_time_out_unless_they_began_after_the_plan():
    outcome, windows = watch(
        Clock(), Step(None, 1), calls=[-0.5, 0.5, 0.9, 1.1], answered=1
    )
    failures = {"timeout": 2, "unreported": 1}
    assert (outcome.failures, outcome.reasons) == (failures, {})
    assert windows[-1].failures == failures
    assert [one.phase for one in windows] == ["steady", *["stop"] * 3]


def test_requests_after_the_report_are_in_no_window():
    clock, taken = Clock(), []

    def keep(window):
        taken.append(window)

    job = loads.job("http://h/", Step(None, 1))
    watched = own_file.Watch(
        job,
        START,
        keep,
        in_flight.InFlight(User, None),
        sleep=clock.sleep,
        clock_ns=lambda: clock.now_ns,
        wall_ns=lambda: START * NS_PER_S + clock.now_ns,
    )
    watched.run(Users(clock, 0.0))
    before = len(taken)
    clock.now_ns += 5 * NS_PER_S
    watched.take(response_time=4_500.0)
    watched.take(response_time="late")
    assert len(taken) == before


def test_a_worker_without_a_request_makes_the_run_invalid():
    outcome, _ = watch(Clock(), Step(None, 1))
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


def test_a_locust_file_gives_the_same_records(make_bay):
    bay = make_bay(
        "http://127.0.0.1:1/",
        Step(None, 2, 1),
        locust_file=PRINTING,
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
    requests = end["requests"]
    # What a user fires in one go may lie on both sides of an end of the plan.
    assert end["failures"] == {
        "failed": pytest.approx(requests, abs=8),
        "value_error": pytest.approx(requests, abs=8),
    }
    seen = [Window.from_json(one) for one in windows]
    assert {us for one in seen for us in one.latency_us.counts} == {1234}
    assert [
        (one["kind"], one["detail"])
        for one in records
        if one["record"] == "event"
    ] == [("user_error", "users of the locustfile raised KeyError")]
    assert [one.wait(10) for one in workers] == [0, 0]


def test_the_windows_contain_all_requests_that_the_target_received(
    make_bay, serve, behaviour
):
    seen_s = []

    def answer(connection, number):
        seen_s.append(time.time())
        behaviour.answer(connection, number)

    bay = make_bay(
        serve(answer).url,
        Step(None, 3),
        locust_file=ASKING,
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
        locust_file=ending,
        users=2,
    )
    bay.start_worker()
    records = bay.records(bay.start_master())
    kinds = [one["kind"] for one in of(records, "event")]
    assert "users_ended" in kinds
    assert any("did not start" in one for one in records[-1]["reasons"])


def run_alone(make_bay, url, text, *steps, **changes):
    """Run a file in one worker; return the records and the worker."""
    bay = make_bay(
        url,
        *steps,
        **{"workers": 1, "locust_file": text, "users": 2, **changes},
    )
    worker = bay.start_worker()
    return bay.records(bay.start_master()), worker


@pytest.mark.parametrize("kind", ["HttpUser", "FastHttpUser"])
def test_a_stall_at_the_end_of_the_plan_is_measured(
    make_bay, serve, behaviour, kind
):
    stalled = threading.Event()

    def stall(connection, number):
        if not stalled.is_set():
            behaviour.answer(connection, number)

    bay = make_bay(
        serve(stall).url,
        Step(None, 4),
        workers=1,
        locust_file=ASKING.replace("HttpUser", kind),
        users=2,
        timeout_s=1.0,
    )
    bay.start_worker(REPORTING_OFTEN)
    master = bay.start_master()
    bay.first_window(master)
    stalled.set()
    end = bay.records(master)[-1]
    assert (end["failures"], end["reasons"]) == ({"timeout": 2}, [])
    assert end["requests"] > 10


# The first example of Locust's manual.
QUICKSTART = """
import time
from locust import HttpUser, task, between

class QuickstartUser(HttpUser):
    wait_time = between(1, 5)

    @task
    def hello_world(self):
        self.client.get("/hello")
        self.client.get("/world")

    @task(3)
    def view_items(self):
        for item_id in range(10):
            self.client.get(f"/item?id={item_id}", name="/item")
            time.sleep(1)

    def on_start(self):
        self.client.post("/login", json={"username":"foo", "password":"bar"})
"""


@pytest.mark.parametrize("kind", ["HttpUser", "FastHttpUser"])
def test_users_that_sleep_when_the_plan_ends_are_not_waited_for(
    make_bay, serve, kind
):
    records, worker = run_alone(
        make_bay,
        serve().url,
        QUICKSTART.replace("HttpUser", kind),
        Step(None, 2),
        users=12,
    )
    end = records[-1]
    assert (end["reasons"], end["failures"]) == ([], {})
    assert end["requests"] > 10
    # Their tasks would go on for longer than the time-out of 10 s.
    start = of(records, "start")[0]["second"]
    assert max(one["second"] for one in of(records, "window")) - start <= 3
    assert worker.wait(10) == 0


OWN_CLIENT = """
import time
from locust import User, task

class Poller(User):
    @task
    def ask(self):
        self.environment.events.request.fire(
            request_type="X", name="x", response_time=1, response_length=0
        )
        # It may be in the middle of a request that it tells of at its end.
        time.sleep(60)
"""
SOMETIMES_ITS_OWN_CLIENT = OWN_CLIENT.replace("User", "HttpUser").replace(
    "def ask(self):", 'def ask(self):\n        self.client.get("/")'
)


@pytest.mark.parametrize("text", [OWN_CLIENT, SOMETIMES_ITS_OWN_CLIENT])
def test_requests_of_an_unknown_client_are_waited_for(make_bay, serve, text):
    records, _ = run_alone(
        make_bay,
        serve().url,
        text,
        Step(None, 3),
        timeout_s=1.0,
        users=40,
        spawn_rate=10,
    )
    (reason,) = (one for one in records[-1]["reasons"] if "still ran" in one)
    assert "to a client that is not Locust's" in reason


QUITTING = (
    ASKING
    + """
from locust import events

@events.test_stop.add_listener
def quit(environment, **_):
    environment.runner.quit()
"""
)


def test_a_test_stop_hook_can_quit_without_losing_records(make_bay, serve):
    records, worker = run_alone(make_bay, serve().url, QUITTING, Step(None, 2))
    end = records[-1]
    assert (end["reasons"], end["failures"]) == ([], {})
    steady = [one for one in of(records, "window") if one["phase"] == "steady"]
    assert len(steady) == 2
    assert worker.wait(10) == 0


@pytest.mark.parametrize("ending", ["quit", "stop"])
def test_a_file_that_ends_its_runner_in_the_plan_makes_the_run_invalid(
    make_bay, serve, ending
):
    text = (
        ASKING
        + f"""
        if self.environment.stats.total.num_requests > 12:
            gevent.spawn(self.environment.runner.{ending})

import gevent
"""
    )
    records, _ = run_alone(make_bay, serve().url, text, Step(None, 4))
    assert records[-1]["reasons"]


# A listener of the file's own comes before those that Locust adds later.
INTERRUPTING = """
from locust import HttpUser, constant_throughput, events, task
from locust.exception import RescheduleTask

@events.request.add_listener
def interrupt(**_):
    raise RescheduleTask

class Asker(HttpUser):
    wait_time = constant_throughput(10)

    @task
    def ask(self):
        self.client.get("/")
"""


def test_a_listener_that_ends_the_task_hides_no_request(make_bay, serve):
    records, _ = run_alone(make_bay, serve().url, INTERRUPTING, Step(None, 2))
    end = records[-1]
    assert (end["reasons"], end["failures"]) == ([], {})
    assert end["requests"] > 20


UNREPORTED = """
from locust import HttpUser, constant_throughput, task

class Asker(HttpUser):
    wait_time = constant_throughput(10)

    @task
    def ask(self):
        with self.client.get("/", catch_response=True) as answer:
            assert answer.text == "none of this"

    @task
    def ask_nobody(self):
        self.client.get("nothing://at-all/")
"""


@pytest.mark.parametrize("kind", ["HttpUser", "FastHttpUser"])
def test_a_request_without_an_event_is_a_failure(make_bay, serve, kind):
    text = UNREPORTED.replace("HttpUser", kind)
    records, _ = run_alone(make_bay, serve().url, text, Step(None, 2))
    end = records[-1]
    assert end["requests"] == 0
    assert end["failures"]["assertion_error"] > 5


def test_a_killed_worker_of_a_locust_file_makes_the_run_invalid(
    make_bay, serve
):
    bay = make_bay(
        serve().url,
        Step(None, 5),
        locust_file=ASKING,
        users=4,
    )
    first, _ = [bay.start_worker(REPORTING_OFTEN) for _ in range(2)]
    master = bay.start_master()
    assert bay.first_window(master)["workers"] == 2
    first.kill()
    records = bay.records(master)
    assert any(one.endswith("died") for one in records[-1]["reasons"])
    assert of(records, "window")[-1]["workers"] == 1

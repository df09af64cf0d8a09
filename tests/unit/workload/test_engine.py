import itertools
import time

import pytest

from rally_magnum_scale.measurement import records
from rally_magnum_scale.measurement import throughput
from rally_magnum_scale.measurement import windows
from rally_magnum_scale.measurement.histogram import Histogram
from rally_magnum_scale.measurement.steps import Plan
from rally_magnum_scale.measurement.steps import Step
from rally_magnum_scale.workload.in_bay import engine
from rally_magnum_scale.workload.in_bay.engine import Engine
from rally_magnum_scale.workload.in_bay.job import Job


def run(url, *steps, connections=4, timeout_s=5.0):
    """Run an engine that starts now, whatever the wall clock says."""
    job = Job(
        task="t",
        iteration=1,
        bay="b",
        plan=Plan(steps),
        url=url,
        workers=1,
        connections=connections,
        timeout_s=timeout_s,
    )
    reported = []
    outcome = Engine(
        job,
        start_second=1000,
        report=reported.append,
        # The start is 100 ms away: time to open the connections.
        wall_ns=lambda: 999_900_000_000,
    ).run()
    return outcome, reported


def whole(reported):
    empty = Histogram()
    return (
        empty.merge(*(one.latency_us for one in reported)),
        empty.merge(*(one.service_us for one in reported)),
        empty.merge(*(one.schedule_lag_us for one in reported)),
    )


def test_every_request_is_in_one_window_and_the_server_counted_as_many(serve):
    server = serve()
    outcome, reported = run(server.url, Step(None, 1, 0), Step(300, 1, 1))
    assert outcome.failures == {}
    assert outcome.requests == server.requests
    assert sum(one.requests for one in reported) == server.requests
    assert [one.second for one in reported] == [1000, 1001, 1002, 1003]
    assert [(one.step, one.phase) for one in reported] == [
        (1, "steady"),
        (2, "ramp"),
        (2, "steady"),
        (2, "stop"),
    ]
    latency_us, service_us, _ = whole(reported)
    assert latency_us.total == service_us.total == outcome.requests


def test_an_open_loop_offers_its_rate(serve):
    server = serve()
    outcome, reported = run(server.url, Step(500, 1))
    assert (outcome.requests, outcome.unsent) == (500, 0)
    assert server.requests == 500
    _, _, lag_us = whole(reported)
    assert lag_us.total == outcome.requests


def test_a_stall_counts_for_all_that_were_due_in_it(serve, behaviour):
    server = serve(behaviour.stall_on(50, 0.5))
    outcome, reported = run(server.url, Step(200, 2), connections=1)
    latency_us, service_us, lag_us = whole(reported)
    assert (outcome.requests, outcome.unsent) == (400, 0)
    # One request was stalled; the 100 that were due meanwhile waited.
    slow = sum(n for us, n in latency_us.counts.items() if us > 50_000)
    assert 75 <= slow < 300
    assert latency_us.max_us >= 500_000
    assert sum(n for us, n in service_us.counts.items() if us > 400_000) == 1
    # The generator was in time all along: it had no idle connection.
    assert lag_us.percentile_us(50) < 50_000


def test_requests_that_waited_for_a_connection_are_sent_after_the_plan(
    serve, behaviour
):
    server = serve(behaviour.stall_on(1, 1.5))
    outcome, reported = run(server.url, Step(100, 1), connections=1)
    assert (outcome.requests, outcome.failures) == (100, {})
    assert (outcome.unsent, server.requests) == (0, 100)
    stop = [one for one in reported if one.phase == "stop"]
    assert sum(one.requests for one in stop) == 100
    # Their latency runs from when they were due, within the plan.
    assert whole(stop)[0].percentile_us(50) > 500_000


def test_requests_that_found_no_connection_are_named(serve, behaviour):
    server = serve(behaviour.silence)
    outcome, reported = run(
        server.url, Step(100, 1), connections=1, timeout_s=0.3
    )
    assert outcome.requests == 0
    assert set(outcome.failures) == {"timeout", "unsent"}
    assert sum(outcome.failures.values()) == 100
    assert outcome.failures["timeout"] >= server.requests
    assert outcome.unsent == outcome.failures["unsent"] > 90
    assert (reported[-1].phase, len(reported)) == ("stop", 2)
    assert reported[-1].failures["unsent"] == outcome.unsent


def test_a_stall_before_the_end_of_the_plan_shows_in_its_last_step(
    serve, behaviour
):
    server = serve(behaviour.stall_on(310, 1.2))
    plan = Plan((Step(100, 2), Step(100, 2)))
    outcome, reported = run(server.url, *plan.steps, connections=1)
    assert (outcome.requests, outcome.failures) == (400, {})
    assert (outcome.unsent, server.requests) == (0, 400)
    end = records.End(len(reported), outcome.requests, {}, 1, 1)
    first, last = throughput.summarise(
        plan, reported, end, cores_pods=None, cores_real_nodes=None
    )
    assert first.latency_us["p50"] < 500_000 < last.latency_us["p99"]
    # The rate is that of the steady seconds: the stall lowered it.
    assert last.requests < 150
    assert last.achieved_rps == last.requests / 2


def test_after_a_closed_loop_nothing_is_due(serve):
    server = serve()
    outcome, reported = run(server.url, Step(100, 1), Step(None, 1))
    assert "unsent" not in outcome.failures
    assert outcome.requests == server.requests
    assert reported[-1].requests <= 4


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        ("reset", "reset"),
        ("cut", "short"),
        ("status", "bad_status"),
        ("silence", "timeout"),
    ],
)
def test_failures_are_counted_by_kind_and_the_rest_goes_on(
    serve, behaviour, what, kind
):
    numbers = {20, 40, 41}
    server = serve(behaviour.on(numbers, getattr(behaviour, what)))
    outcome, reported = run(server.url, Step(100, 1), timeout_s=0.3)
    assert outcome.failures == {kind: 3}
    assert (outcome.requests, outcome.unsent) == (97, 0)
    assert windows.add_failures(one.failures for one in reported) == {kind: 3}
    assert server.requests == outcome.requests + 3


@pytest.mark.parametrize("what", ["in_pieces", "chunked"])
def test_answers_in_pieces_are_put_together(serve, behaviour, what):
    server = serve(getattr(behaviour, what))
    outcome, _ = run(server.url, Step(None, 1))
    assert outcome.failures == {}
    assert outcome.requests == server.requests > 50


def test_whole_answers_and_pieces_mix(serve, behaviour):
    server = serve(behaviour.on(range(3, 1000, 3), behaviour.in_pieces))
    outcome, _ = run(server.url, Step(200, 1))
    assert outcome.failures == {}
    assert outcome.requests == server.requests > 100


def test_a_connection_that_the_server_ends_is_no_failure(serve, behaviour):
    server = serve(behaviour.on({5, 6, 90}, behaviour.close))
    outcome, _ = run(server.url, Step(100, 1))
    assert outcome.failures == {}
    assert outcome.requests == server.requests > 90


def test_nobody_listens(free_port):
    outcome, reported = run(
        f"http://127.0.0.1:{free_port}/", Step(None, 1), connections=2
    )
    assert outcome.requests == 0
    assert set(outcome.failures) == {"refused"}
    # Tried again, but ever more rarely.
    assert 4 <= outcome.failures["refused"] <= 40
    assert len(reported) == 2


def test_others_get_their_turn_every_50_ms(serve):
    turns = []
    job = Job("t", 1, "b", Plan((Step(None, 1),)), serve().url, 1)
    Engine(
        job,
        start_second=1000,
        wall_ns=lambda: 999_900_000_000,
        report=lambda _: None,
        give_way=lambda: turns.append(time.perf_counter()),
    ).run()
    gaps_s = [after - before for before, after in itertools.pairwise(turns)]
    assert max(gaps_s, default=0) < 0.3
    assert turns


@pytest.mark.parametrize(
    ("number", "kind"),
    [(111, "refused"), (104, "reset"), (110, "timeout"), (113, "unreachable")],
)
def test_kinds_of_socket_errors(number, kind):
    assert engine.kind_of(OSError(number, "x")) == kind

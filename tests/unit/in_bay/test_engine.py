import itertools
import socket
import time
from pathlib import Path

import pytest

from rally_magnum_scale.in_bay import request_failures
from rally_magnum_scale.in_bay.engine import RECEIVE_BYTES
from rally_magnum_scale.in_bay.engine import Engine
from rally_magnum_scale.in_bay.fresh import engine_of
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.in_bay.stats import step_summary
from rally_magnum_scale.in_bay.stats import windows
from rally_magnum_scale.in_bay.stats.steps import Plan
from rally_magnum_scale.in_bay.stats.steps import Step
from tests.unit import loads
from tests.unit.in_bay.conftest import Behaviour
from tests.unit.in_bay.conftest import serving
from tests.unit.in_bay.engine_runs import run
from tests.unit.in_bay.engine_runs import side_by_side
from tests.unit.in_bay.engine_runs import whole


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
    assert (outcome.requests, outcome.failures) == (500, {})
    assert outcome.due == [500]
    assert server.requests == 500
    _, _, lag_us = whole(reported)
    assert lag_us.total == outcome.requests


@pytest.mark.parametrize("rate_rps", [None, 100])
def test_waiting_does_not_count_as_busy(serve, behaviour, rate_rps):
    slow = serve(behaviour.stall_on(1, 0.8))
    step = Step(rate_rps, 1)
    _, (waiting, *_) = run(slow.url, step, connections=1)
    # A machine that has no processor for it makes it busier, never less.
    assert waiting.busy_ratio_max < 0.5
    _, (working, *_) = run(
        serve().url, step, run_other_greenlets=lambda: time.sleep(0.5)
    )
    assert working.busy_ratio_max > 0.75


@pytest.mark.parametrize("keep_alive", [True, False])
def test_requests_queued_by_a_standstill_are_late(serve, keep_alive):
    turns = itertools.count(1)

    def run_other_greenlets():
        if next(turns) % 4 == 0:
            time.sleep(0.1)

    _, reported = run(
        serve().url,
        Step(100, 2),
        connections=2,
        run_other_greenlets=run_other_greenlets,
        keep_alive=keep_alive,
    )
    # Ten queue up in a standstill.  Two of these have a connection, and would
    # alone be late, by almost 100 ms; those behind them are late by less.  On
    # a busy machine there are standstills that no idle connection tells of.
    _, _, lag_us = whole(reported)
    behind = (n for us, n in lag_us.counts.items() if 20_000 < us < 70_000)
    assert sum(behind) >= 10


def test_a_stall_counts_for_all_requests_due_in_it(serve, behaviour):
    server = serve(behaviour.stall_on(50, 0.5))
    outcome, reported = run(server.url, Step(50, 4), connections=1)
    latency_us, service_us, lag_us = whole(reported)
    assert (outcome.requests, outcome.failures) == (200, {})
    # One request was stalled; the 25 that were due meanwhile waited.
    slow = sum(n for us, n in latency_us.counts.items() if us > 50_000)
    assert 19 <= slow < 100
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
    assert server.requests == 100
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
    assert outcome.failures["unsent"] > 90
    assert (reported[-1].phase, len(reported)) == ("stop", 2)
    assert reported[-1].failures["unsent"] == outcome.failures["unsent"]
    assert windows.due_in(reported, 1, "steady")[-1].failures == (
        reported[-1].failures
    )


def test_a_stall_before_the_end_of_the_plan_shows_in_its_last_step(
    serve, behaviour
):
    server = serve(behaviour.stall_on(210, 1.2))
    plan = Plan((Step(100, 1), Step(100, 2)))
    outcome, reported = run(server.url, *plan.steps, connections=1)
    assert (outcome.requests, outcome.failures) == (300, {})
    assert (outcome.due, server.requests) == ([100, 200], 300)
    end = records.End(
        len(reported), outcome.requests, {}, 1, 1, due=list(outcome.due)
    )
    first, last = step_summary.summarise(
        plan, reported, end, cores_pods=None, cores_real_nodes=None
    )
    assert first.latency_us["p50"] < 500_000 < last.latency_us["p99"]
    # The rate is that of the steady seconds: the stall lowered it.
    assert last.requests < 150
    assert last.achieved_rps == last.requests / 2


def test_after_a_closed_loop_nothing_is_due(serve):
    server = serve()
    outcome, reported = run(server.url, Step(100, 1), Step(None, 1))
    assert outcome.due == [100, None]
    # A busy machine may be late when the closed loop begins.
    assert set(outcome.failures) <= {"unsent"}
    assert outcome.requests == server.requests
    assert reported[-1].requests <= 4


FAILURES = {
    "reset": "reset",
    "cut": "short",
    "status": "bad_status",
    "longer": "bad_length",
    "overrun": "malformed",
    # Neither of them is whole.
    "other_protocol": "malformed",
    "two_lengths": "malformed",
    "silence": "timeout",
}


@pytest.fixture(scope="module", params=[True, False])
def failed_runs(request):
    """Run the engine against a target that fails in each way."""

    def fail(what):
        numbers = {20, 40, 41}
        with serving() as serve:
            server = serve(Behaviour.on(numbers, getattr(Behaviour, what)))
            outcome, reported = run(
                server.url,
                Step(100, 1),
                timeout_s=2.0,
                request={"expected_body_bytes": 3},
                keep_alive=request.param,
            )
            return outcome, reported, server.requests

    return side_by_side(fail, [(what,) for what in FAILURES])


@pytest.mark.parametrize(("what", "kind"), FAILURES.items())
def test_failures_are_counted_by_kind_while_other_requests_succeed(
    failed_runs, what, kind
):
    outcome, reported, requests = failed_runs[(what,)].result()
    assert outcome.failures == {kind: 3}
    assert (outcome.requests, outcome.due) == (97, [100])
    assert windows.add_counts(one.failures for one in reported) == {kind: 3}
    assert requests == outcome.requests + 3


@pytest.mark.parametrize("what", ["in_pieces", "chunked"])
def test_answers_in_pieces_are_put_together(serve, behaviour, what):
    server = serve(getattr(behaviour, what))
    outcome, _ = run(server.url, Step(None, 1))
    assert outcome.failures == {}
    assert outcome.requests == server.requests > 50


def test_whole_and_split_responses_mix(serve, behaviour):
    server = serve(behaviour.on(range(3, 1000, 3), behaviour.in_pieces))
    outcome, _ = run(server.url, Step(200, 1))
    assert outcome.failures == {}
    assert outcome.requests == server.requests > 100


@pytest.mark.parametrize("size", [RECEIVE_BYTES, 5 * RECEIVE_BYTES + 7])
def test_a_response_larger_than_the_buffer_is_read_completely(
    serve, behaviour, size
):
    server = serve(behaviour.of_bytes(size))
    outcome, _ = run(server.url, Step(100, 1))
    assert outcome.failures == {}
    assert outcome.requests == server.requests == 100


@pytest.mark.parametrize("what", ["close", "leave"])
def test_a_connection_that_the_server_closes_is_no_failure(
    serve, behaviour, what
):
    server = serve(behaviour.on({5, 6, 90}, getattr(behaviour, what)))
    outcome, _ = run(server.url, Step(100, 1))
    assert outcome.failures == {}
    assert outcome.requests == server.requests > 90


def test_a_refused_connection_is_a_failure(free_port):
    outcome, reported = run(
        f"http://127.0.0.1:{free_port}/", Step(None, 1), connections=2
    )
    assert outcome.requests == 0
    assert set(outcome.failures) == {"refused"}
    # Tried again, but ever more rarely.
    assert 4 <= outcome.failures["refused"] <= 40
    assert len(reported) == 2


def test_other_greenlets_run_every_50_ms(serve):
    turns = []
    # A clock that goes on by 1 ms each time that it is looked at.
    clock_ns = itertools.count(0, 1_000_000).__next__
    Engine(
        loads.job(serve().url, Step(None, 1)),
        start_second=1000,
        clock_ns=clock_ns,
        wall_ns=lambda: 1_000_000_000_000,
        report=lambda _: None,
        run_other_greenlets=lambda: turns.append(clock_ns()),
    ).run()
    gaps_ns = [after - before for before, after in itertools.pairwise(turns)]
    assert max(gaps_ns) < 100_000_000
    assert len(turns) >= 12


def test_the_target_receives_the_specified_request(serve):
    server = serve()
    request = {
        "method": "POST",
        "path": "/orders?dry=1",
        "headers": {"Content-Type": "text/plain"},
        "body": "zwölf",
    }
    outcome, _ = run(server.url, Step(50, 1), request=request)
    host = server.url.split("/")[2]
    assert server.received == {
        f"POST /orders?dry=1 HTTP/1.1\r\nHost: {host}\r\n"
        "Content-Type: text/plain\r\nContent-Length: 6\r\n\r\n"
        "zwölf".encode()
    }
    assert (outcome.requests, outcome.failures) == (50, {})


@pytest.mark.parametrize("keep_alive", [True, False])
def test_a_body_larger_than_the_send_buffer_arrives_completely(
    serve, keep_alive
):
    server = serve()
    body = "x" * 60_000
    outcome, _ = run(
        server.url,
        Step(50, 1),
        request={"method": "PUT", "body": body},
        keep_alive=keep_alive,
    )
    assert [one.partition(b"\r\n\r\n")[2] for one in server.received] == [
        body.encode()
    ]
    assert (outcome.requests, outcome.failures) == (50, {})


def test_another_status_can_be_the_expected_one(serve, behaviour):
    server = serve(behaviour.on({7, 8}, behaviour.status))
    outcome, _ = run(server.url, Step(50, 1), request={"expected_status": 503})
    assert (outcome.requests, outcome.failures) == (2, {"bad_status": 48})


def test_any_body_length_is_accepted_by_default(serve, behaviour):
    server = serve(behaviour.on(range(0, 1000, 2), behaviour.longer))
    outcome, _ = run(server.url, Step(100, 1))
    assert (outcome.requests, outcome.failures) == (100, {})


def test_a_head_request_has_no_body(serve, behaviour):
    server = serve(behaviour.head_alone)
    request = {"method": "HEAD", "expected_body_bytes": 0}
    outcome, _ = run(server.url, Step(100, 1), request=request)
    assert (outcome.requests, outcome.failures) == (100, {})


NEVER_ALIKE = [
    *itertools.product(("chunked", "numbered", "until_the_end"), (True, False))
]


@pytest.fixture(scope="module")
def never_alike():
    """Run the engine against targets whose answers all differ."""

    def differ(what, keep_alive):
        with serving() as serve:
            server = serve(getattr(Behaviour, what))
            outcome, _ = run(server.url, Step(100, 1), keep_alive=keep_alive)
            return outcome, server.requests

    return side_by_side(differ, NEVER_ALIKE)


@pytest.mark.parametrize("case", NEVER_ALIKE)
def test_responses_that_all_differ_are_counted(never_alike, case):
    outcome, requests = never_alike[case].result()
    assert (outcome.requests, outcome.failures) == (100, {})
    assert requests == 100


# How many a closed loop asks in a second depends on the machine.
@pytest.mark.parametrize(
    "step", [Step(200, 1), Step(None, 2)], ids=["open", "closed"]
)
def test_without_keep_alive_each_request_has_a_new_connection(serve, step):
    server = serve()
    outcome, reported = run(server.url, step, keep_alive=False)
    assert outcome.failures == {}
    assert outcome.requests == server.requests >= 100
    assert server.connections == outcome.requests
    assert all(b"\r\nConnection: close\r\n" in one for one in server.received)
    latency_us, service_us, _ = whole(reported)
    assert latency_us.total == service_us.total == outcome.requests


def test_the_time_to_connect_is_part_of_a_request(serve):
    server = serve(accept_after_s=0.9)
    with socket.create_connection(("127.0.0.1", server.port)):
        # Nobody else fits into the queue: the kernel tries again in 1 s.
        outcome, reported = run(
            server.url, Step(20, 1), keep_alive=False, connections=1
        )
    assert (outcome.requests, outcome.failures) == (20, {})
    _, service_us, _ = whole(reported)
    assert service_us.max_us >= 700_000


def test_connections_are_retried_with_backoff(free_port):
    outcome, _ = run(
        f"http://127.0.0.1:{free_port}/",
        Step(None, 1),
        connections=2,
        keep_alive=False,
    )
    assert (outcome.requests, set(outcome.failures)) == (0, {"refused"})
    assert 4 <= outcome.failures["refused"] <= 40


def test_a_new_connection_per_request_keeps_no_local_port(serve):
    server = serve()
    outcome, _ = run(server.url, Step(300, 1), keep_alive=False)
    assert outcome.requests == 300
    assert waiting_to_close(server.port) < 10


def waiting_to_close(port):
    """Count the ends of connections that are kept for a minute."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    mine = [one.split() for one in lines if f":{port:04X} " in one]
    return sum(one[3] == "06" for one in mine)


@pytest.fixture(scope="module")
def gone_for_a_while():
    """Run the engine against a target that is gone for a second."""

    def go(keep_alive):
        seconds = []
        with serving() as serve:
            first = serve()

            def report(window):
                seconds.append(window)
                if len(seconds) == 1:
                    first.close()
                if len(seconds) == 2:
                    serve(port=first.port)

            job = loads.job(first.url, Step(100, 5), keep_alive=keep_alive)
            outcome = engine_of(job)(
                job,
                start_second=1000,
                report=report,
                wall_ns=lambda: 999_900_000_000,
            ).run()
        return outcome, seconds

    return side_by_side(go, [(True,), (False,)])


@pytest.mark.parametrize("keep_alive", [True, False])
def test_a_target_that_comes_back_gets_requests_again(
    gone_for_a_while, keep_alive
):
    outcome, seconds = gone_for_a_while[(keep_alive,)].result()
    # No connection was left: each attempt failed a request that waited.
    assert outcome.failures["refused"] >= 4
    assert set(outcome.failures) <= {"refused", "reset"}
    assert outcome.due == [outcome.requests + sum(outcome.failures.values())]
    if keep_alive:
        refused = windows.add_counts(one.connect_failures for one in seconds)
        assert refused["refused"] >= outcome.failures["refused"]
    # The back-off is a second at most: the last two went well again, and
    # nothing that was due was left out.
    assert [one.failures for one in seconds[3:5]] == [{}, {}]
    assert sum(one.requests for one in seconds) >= 450
    assert sum(one.latency_us.total for one in seconds) == outcome.requests
    assert whole(seconds)[0].max_us > 500_000


# Much longer than requests that waited need to be sent one after another.
GONE_S = 2


@pytest.fixture(scope="module")
def gone_after_a_standstill():
    """Run an engine that stands still and whose target goes meanwhile."""

    def go(keep_alive):
        turns = itertools.count(1)
        gone_at = []
        with serving() as serve:
            first = serve()

            def run_other_greenlets():
                if next(turns) == 10:
                    # 30 requests are due meanwhile, and connections idle.
                    time.sleep(0.3)
                    first.close()
                    gone_at.append(time.monotonic())
                elif gone_at and time.monotonic() - gone_at[-1] > GONE_S:
                    serve(port=first.port)
                    gone_at.clear()

            _, reported = run(
                first.url,
                # So slow that a busy machine has idle connections, too.
                Step(100, 4),
                # They fail fewer attempts to connect than requests are due.
                connections=2,
                run_other_greenlets=run_other_greenlets,
                keep_alive=keep_alive,
            )
        return reported

    return side_by_side(go, [(True,), (False,)])


@pytest.mark.parametrize("keep_alive", [True, False])
def test_a_missing_target_does_not_count_as_a_standstill(
    gone_after_a_standstill, keep_alive
):
    reported = gone_after_a_standstill[(keep_alive,)].result()
    latency_us, _, lag_us = whole(reported)
    late = sum(count for us, count in lag_us.counts.items() if us > 10_000)
    # What was due in the standstill is late by that, not by what followed.
    assert late > 0
    assert lag_us.max_us < 0.95 * GONE_S * 1e6 < latency_us.max_us


def test_poisson_arrivals_offer_the_rate(serve):
    servers = serve(), serve()

    def offer(url):
        return run(url, Step(400, 1), arrivals="poisson")[0]

    found = side_by_side(offer, [(one.url,) for one in servers])
    outcome, again = (one.result() for one in found.values())
    assert outcome.failures == {}
    assert outcome.requests == servers[0].requests
    assert 300 < outcome.requests < 500
    assert outcome.requests == again.requests


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (111, "refused"),
        (104, "reset"),
        (110, "timeout"),
        (113, "unreachable"),
        (99, "no_port"),
        (24, "no_file"),
    ],
)
def test_kinds_of_socket_errors(number, kind):
    assert request_failures.kind_of(OSError(number, "x")) == kind

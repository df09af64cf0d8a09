"""A target that ends its connections the right way fails no request."""

import itertools
import time

import pytest

from rally_magnum_scale.in_bay.stats.steps import Step
from tests.unit.in_bay.engine_runs import run

# How many a closed loop asks in a second depends on the machine.
LOOPS = pytest.mark.parametrize(
    "step", [Step(200, 1), Step(None, 2)], ids=["open", "closed"]
)


@LOOPS
def test_a_draining_target_causes_no_failure(serve, behaviour, step):
    server = serve(behaviour.on(range(50, 110), behaviour.close))
    outcome, _ = run(server.url, step)
    assert outcome.failures == {}
    assert outcome.requests == server.requests >= 110
    # Each that was ended was opened again.
    assert server.connections > 60


def test_a_long_drain_does_not_lower_the_rate(serve, behaviour):
    server = serve(behaviour.on(range(50, 1000), behaviour.close))
    # Were a connection opened again only every 50 ms, most would be unsent.
    outcome, _ = run(server.url, Step(400, 1), timeout_s=1.5)
    assert (outcome.requests, outcome.failures) == (400, {})
    assert server.requests == 400


@LOOPS
def test_a_connection_closed_before_the_next_request_is_no_failure(
    serve, behaviour, step
):
    # Nothing announces it, but it comes in one packet with the answer.
    server = serve(behaviour.on(range(50, 90), behaviour.leave))
    outcome, _ = run(server.url, step)
    assert outcome.failures == {}
    assert outcome.requests == server.requests >= 90
    assert server.connections > 40


def test_a_closed_idle_connection_is_no_failure(serve):
    server = serve()
    turns = itertools.count(1)
    ended = []

    def run_other_greenlets():
        # The engine asks nothing meanwhile, so nothing is lost on the way.
        if next(turns) % 2 == 0:
            server.drain(most=1)
            ended.append(server.requests)

    outcome, _ = run(
        server.url, Step(100, 2), run_other_greenlets=run_other_greenlets
    )
    assert (outcome.requests, outcome.failures) == (200, {})
    assert server.requests == 200
    assert server.connections > len(ended) > 5


def test_connections_closed_during_a_standstill_are_not_used(serve):
    server = serve()
    turns = []

    def run_other_greenlets():
        turns.append(server.requests)
        if len(turns) % 4 == 0:
            server.drain()
            # More is due by then.
            time.sleep(0.03)

    outcome, _ = run(
        server.url, Step(100, 1), run_other_greenlets=run_other_greenlets
    )
    assert (outcome.requests, outcome.failures) == (100, {})
    assert server.requests == 100
    assert server.connections > 4

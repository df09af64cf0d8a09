"""A request is counted for the step in which it was due."""

import itertools
import random

import pytest

from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.in_bay.stats import step_summary
from rally_magnum_scale.in_bay.stats import windows
from rally_magnum_scale.in_bay.stats.steps import Plan
from rally_magnum_scale.in_bay.stats.steps import Step
from tests.unit.in_bay.conftest import Behaviour
from tests.unit.in_bay.conftest import serving
from tests.unit.in_bay.engine_runs import run
from tests.unit.in_bay.engine_runs import side_by_side

# From the second 1.0 of the plan on, its only connection gets no answer.
STALLED_FROM = 200


def summed_up(behave, *steps, **options):
    """Run the engine, and sum up its steps as a scenario does."""
    plan = Plan(steps)
    with serving() as serve:
        server = serve(behave)
        outcome, reported = run(server.url, *steps, **options)
    end = records.End(
        windows=len(reported),
        requests=outcome.requests,
        failures=outcome.failures,
        workers_expected=1,
        workers_connected=1,
        due=list(outcome.due),
        timeout_s=options.get("timeout_s"),
    )
    found = step_summary.summarise(
        plan, reported, end, cores_pods=None, cores_real_nodes=None
    )
    for step in found:
        assert step.due == step.answered + step.failed, step
        assert not [one for one in step.reasons if "which makes" in one]
    return found, server.requests


def stalled(seconds, *after, **options):
    """Stall in a step of 200 rps for 2 s, until some time after it."""
    return summed_up(
        Behaviour.stall_on(STALLED_FROM, seconds),
        Step(200, 2),
        *after,
        connections=1,
        **options,
    )


STALLS = {
    "ramp": (1.8, Step(100, 1, 2)),
    "closed": (1.8, Step(None, 1)),
    "none": (1.8, Step(100, 1)),
}


@pytest.fixture(scope="module")
def stalls():
    runs = {**STALLS, "timeout": (2.5, Step(100, 2))}

    def stall(what):
        options = {"timeout_s": 0.6} if what == "timeout" else {}
        return stalled(*runs[what], **options)

    return side_by_side(stall, [(what,) for what in runs])


@pytest.mark.parametrize("what", STALLS)
def test_a_stall_counts_in_the_step_whose_requests_waited(stalls, what):
    (first, second), _ = stalls[(what,)].result()
    assert first.due == 400
    # Half of them were due in the stall.
    assert first.requests < 250
    assert first.achieved_rps == first.requests / 2
    slow_us = first.latency_us["p90"]
    assert slow_us is None or slow_us > 1_000_000
    assert second.requests <= second.answered


def test_requests_left_by_an_open_loop_do_not_raise_the_next_rate(
    stalls,
):
    (first, second), requests = stalls[("none",)].result()
    assert (first.answered, first.failures) == (400, {})
    assert (second.due, second.failures) == (100, {})
    assert second.achieved_rps <= 100
    assert requests == 500


def test_unsent_requests_before_a_closed_loop_fail_in_their_step(stalls):
    (first, second), _ = stalls[("closed",)].result()
    assert first.failures["unsent"] > 150
    assert first.error_ratio > 0.3
    assert first.latency_us["p99"] is None
    assert first.answered_latency_us["p50"] < 500_000
    assert first.slowest == "no answer (unsent)"
    assert second.failures == {}


def test_a_timeout_counts_in_the_step_in_which_its_request_was_due(stalls):
    (first, second), _ = stalls[("timeout",)].result()
    assert first.failures["timeout"] >= 1
    assert first.latency_us["max"] is None
    assert first.slowest == "> 0.6 s (timed out)"
    assert second.achieved_rps <= 100
    assert first.due + second.due == 600


RANDOM = [*itertools.product((True, False), range(3))]


@pytest.mark.parametrize(("keep_alive", "seed"), RANDOM)
def test_every_due_request_is_counted_despite_stalls(
    random_stalls, keep_alive, seed
):
    found, requests = random_stalls[(keep_alive, seed)].result()
    sent = [
        step.due - step.failures.get("unsent", 0)
        for step in found
        if step.offered_rps
    ]
    assert sum(sent) <= requests + 8


@pytest.fixture(scope="module")
def random_stalls():
    def stall(keep_alive, seed):
        chance = random.Random(seed)
        bad = {
            number: chance.choice(
                [
                    Behaviour.stall_on(number, chance.uniform(0.1, 1.2)),
                    Behaviour.silence,
                    Behaviour.reset,
                    Behaviour.cut,
                    Behaviour.leave,
                ]
            )
            for number in chance.sample(range(900), 12)
        }

        def behave(connection, number):
            bad.get(number, Behaviour.answer)(connection, number)

        steps = [
            Step(
                chance.choice([None, 150, 300, 400]),
                chance.randint(1, 2),
                chance.randint(0, 1),
            )
            for _ in range(3)
        ]
        return summed_up(
            behave,
            *steps,
            connections=chance.randint(1, 4),
            timeout_s=0.7,
            keep_alive=keep_alive,
            arrivals=chance.choice(["constant", "poisson"]),
        )

    return side_by_side(stall, RANDOM)


def test_an_unannounced_close_is_handled_at_once(serve, behaviour):
    server = serve(behaviour.leave)
    # Were it opened again only every 50 ms, twenty could be asked a second,
    # and most would never be sent.
    outcome, _ = run(server.url, Step(200, 2), connections=1)
    assert (outcome.requests, outcome.failures) == (400, {})
    assert server.requests == 400


def test_a_failed_connect_fails_no_request(serve):
    server = serve()
    gone = serve()
    gone.close()
    addresses = tuple(
        one.url.removeprefix("http://").rstrip("/") for one in (server, gone)
    )
    outcome, reported = run(
        server.url, Step(200, 1), connections=2, addresses=addresses
    )
    assert (outcome.requests, outcome.failures) == (200, {})
    tried = windows.add_counts(one.connect_failures for one in reported)
    assert tried["refused"] >= 3

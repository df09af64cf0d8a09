"""A search by a real Locust master, whose workers stay connected."""

import signal
import threading
import time

from rally_magnum_scale.in_bay.stats import rate_search
from rally_magnum_scale.in_bay.stats import records as record_types
from rally_magnum_scale.in_bay.stats import trials
from rally_magnum_scale.in_bay.stats.steps import Step
from rally_magnum_scale.runs import progress
from tests.unit.in_bay.processes import REPORTING_OFTEN
from tests.unit.in_bay.processes import of

ANSWER_S = 0.004
# One request after another: no more than 250 a second can be answered.
CAPACITY_RPS = 1 / ANSWER_S


def one_by_one(behaviour):
    lock = threading.Lock()

    def behave(connection, number):
        with lock:
            time.sleep(ANSWER_S)
        behaviour.answer(connection, number)

    return behave


def search_of(**changes):
    return trials.Search(
        **{
            "bounds": {"p99_ms": 200},
            "start_rps": 80,
            "precision": 0.5,
            "step_s": 1,
            "ramp_s": 0,
            "confirm_s": 2,
            "max_steps": 9,
            **changes,
        }
    )


def make(make_bay, url, wanted):
    (first,) = rate_search.first_plan(wanted).steps
    return make_bay(url, first, search=wanted, timeout_s=1.0)


def test_a_search_finds_the_highest_rate_of_the_target(
    make_bay, serve, behaviour
):
    server = serve(one_by_one(behaviour))
    wanted = search_of()
    bay = make(make_bay, server.url, wanted)
    workers = [bay.start_worker(), bay.start_worker()]
    records = bay.records(bay.start_master())
    end = records[-1]
    assert (end["record"], end["reasons"]) == ("end", [])
    windows = of(records, "window")
    assert end["windows"] == len(windows)
    numbers = [one["step"] for one in windows]
    assert numbers == sorted(numbers)
    assert [one["second"] for one in windows] == sorted(
        {one["second"] for one in windows}
    )
    followed = progress.SearchProgress(wanted, print)
    lines = [followed.take(one) for one in of(records, "trial")]
    done = followed.done
    assert all(one.ended for one in done)
    assert {one.step for one in done} == set(numbers)
    assert len(lines) == 2 * len(done) == 2 * len(of(records, "start"))
    # What the master decided is what the same steps lead to here.
    for count, trial in enumerate(done):
        ordered = rate_search.next_trial(wanted, done[:count])
        assert (ordered.rate_rps, ordered.duration_s) == (
            trial.rate_rps,
            trial.duration_s,
        )
    assert done[0].rate_rps == 80
    assert any(not one.held for one in done)
    assert all(one.achieved_rps <= 1.05 * CAPACITY_RPS for one in done)
    assert all(not one.held for one in done if one.rate_rps > 300)
    # Both workers stayed: one engine after another, the connections new.
    assert [worker.wait(10) for worker in workers] == [0, 0]
    assert {one["workers"] for one in windows if one["phase"] == "steady"} == {
        2
    }


def test_a_search_without_a_start_rate_begins_with_a_closed_loop(
    make_bay, serve
):
    wanted = search_of(start_rps=None, max_rps=50, max_steps=2)
    bay = make(make_bay, serve().url, wanted)
    bay.start_worker(), bay.start_worker()
    records = bay.records(bay.start_master())
    done = [
        record_types.Trial.from_json(one)
        for one in of(records, "trial")
        if one["achieved_rps"] is not None
    ]
    assert [(one.purpose, one.rate_rps) for one in done][:2] == [
        (trials.ESTIMATE, None),
        (trials.SEARCH, 50),
    ]
    assert done[0].achieved_rps > 50


def test_a_killed_worker_ends_the_search(make_bay, serve):
    wanted = search_of(step_s=5)
    bay = make(make_bay, serve().url, wanted)
    first, _ = [bay.start_worker(REPORTING_OFTEN) for _ in range(2)]
    master = bay.start_master()
    bay.first_window(master)
    first.send_signal(signal.SIGKILL)
    records = bay.records(master)
    (reason,) = records[-1]["reasons"]
    assert reason.endswith("died")
    assert {one["step"] for one in of(records, "trial")} == {1}
    followed = progress.SearchProgress(wanted, print)
    for one in of(records, "trial"):
        followed.take(one)
    assert followed.plan.steps == (Step(80, 5, 0),)
    assert not any(one.held for one in followed.done)

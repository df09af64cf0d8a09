import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rally_magnum_scale.in_bay.stats.steps import Plan
from rally_magnum_scale.in_bay.stats.steps import Position
from rally_magnum_scale.in_bay.stats.steps import Step

TWO = Plan((Step(1000, 10, 2), Step(2000, 20, 5)))
RATES = st.one_of(st.none(), st.floats(0.1, 5000))
STEPS = st.builds(Step, RATES, st.integers(1, 5), st.integers(0, 5))
PLANS = st.lists(STEPS, min_size=1, max_size=3).map(tuple).map(Plan)


@pytest.mark.parametrize(
    ("offset_s", "step", "phase"),
    [
        (-1, 0, "ramp"),
        (0, 0, "ramp"),
        (1.999, 0, "ramp"),
        (2, 0, "steady"),
        (11.9, 0, "steady"),
        (12, 1, "ramp"),
        (17, 1, "steady"),
        (36.9, 1, "steady"),
        (37, 1, "stop"),
        (1000, 1, "stop"),
    ],
)
def test_position(offset_s, step, phase):
    assert TWO.position(offset_s) == Position(step, phase)


@pytest.mark.parametrize("ramp_s", [0, 1])
def test_what_is_before_the_plan_counts_as_its_first_moment(ramp_s):
    plan = Plan((Step(10, 1, ramp_s),))
    assert plan.position(-1) == plan.position(0)
    assert plan.position(0).phase == ("ramp" if ramp_s else "steady")


@pytest.mark.parametrize(
    ("offset_s", "rate_rps"),
    [
        (-5, 0),
        (0, 0),
        (1, 500),
        (2, 1000),
        (12, 1000),
        (14.5, 1500),
        (17, 2000),
        (36.9, 2000),
        (37, 0),
    ],
)
def test_a_ramp_is_a_straight_line_from_the_step_before(offset_s, rate_rps):
    assert TWO.rate_rps(offset_s) == pytest.approx(rate_rps)


def test_a_closed_loop_has_no_rate_and_none_to_come_from():
    plan = Plan((Step(None, 3, 1), Step(100, 3, 2)))
    assert plan.rate_rps(0) is None
    assert plan.rate_rps(3) is None
    assert plan.rate_rps(5) == pytest.approx(50)
    assert plan.rate_rps(99) == 0


def test_a_step_begins_where_the_one_before_ends():
    assert TWO.total_s == 37
    assert [TWO.start_s(step) for step in (0, 1, 2)] == [0, 12, 37]


@given(PLANS, st.integers(1, 7))
def test_the_workers_slices_add_up_to_the_plan(plan, workers):
    area = sum(
        (plan.rate_rps((i + 0.5) / 20) or 0) / 20
        for i in range(plan.total_s * 20)
    )
    per_worker = [
        sum(one.count for one in plan.slices(worker, workers))
        for worker in range(workers)
    ]
    assert max(per_worker) - min(per_worker) <= 1
    assert sum(per_worker) == pytest.approx(area, abs=workers + 1)


@given(PLANS, st.integers(1, 3))
def test_requests_are_due_in_order_and_inside_their_slice(plan, workers):
    last_s = 0.0
    for one in plan.slices(workers - 1, workers):
        for index in range(one.count):
            due_s = one.first_due_s + index * one.interval_s
            assert one.start_s - 1e-9 <= due_s <= one.end_s + 1e-9
            assert due_s >= last_s - 1e-9
            last_s = due_s


def test_workers_do_not_send_all_at_once():
    plan = Plan((Step(40, 1),))
    first = [next(plan.slices(worker, 2)).first_due_s for worker in (0, 1)]
    assert first == pytest.approx([1.5 / 40, 0.5 / 40])


def test_a_closed_loop_has_slices_without_due_requests():
    some = list(Plan((Step(None, 1),)).slices(0, 1))
    assert len(some) == 20
    assert not any(one.count for one in some)


def test_json_brings_it_back():
    assert Plan.from_json(TWO.to_json()) == TWO


def test_a_step_without_a_ramp_has_none():
    read = Plan.from_json([{"rate_rps": 9, "duration_s": 1}])
    assert read.steps == (Step(9, 1, 0),)


@pytest.mark.parametrize(
    ("data", "key"),
    [
        ([], "steps"),
        ([{"rate_rps": 0, "duration_s": 1}], r"steps\[0\].rate_rps"),
        ([{"rate_rps": "9", "duration_s": 1}], r"steps\[0\].rate_rps"),
        ([{"rate_rps": True, "duration_s": 1}], r"steps\[0\].rate_rps"),
        (
            [{"rate_rps": math.inf, "duration_s": 1}],
            r"steps\[0\].rate_rps: .* above 0, or null: inf",
        ),
        ([{"rate_rps": math.nan, "duration_s": 1}], r"steps\[0\].rate_rps"),
        (
            [{"rate_rps": 9, "duration_s": 0}],
            r"steps\[0\].duration_s: .* of seconds, 1 or more: 0",
        ),
        ([{"rate_rps": 9, "duration_s": 1.5}], r"steps\[0\].duration_s"),
        ([{"rate_rps": 9, "duration_s": True}], r"steps\[0\].duration_s"),
        ([{"rate_rps": 9}], r"steps\[0\].duration_s"),
        ([{"duration_s": 9}], r"steps\[0\].rate_rps"),
        (
            [{"rate_rps": 9, "duration_s": 1, "ramp_s": -1}],
            r"steps\[0\].ramp_s: .* of seconds, 0 or more: -1",
        ),
        ([{"rate_rps": 9, "duration_s": 1}, {}], r"steps\[1\].rate_rps"),
        ([{"rate_rps": 9, "duration_s": 1, "rmap_s": 1}], "rmap_s"),
        ([{"z": 9, "a": 1}], r"steps\[0\].a: a step has no such key"),
    ],
)
def test_a_wrong_value_is_named(data, key):
    with pytest.raises(ValueError, match=key):
        Plan.from_json(data)


@pytest.mark.parametrize("worker", [-1, 2, 3])
def test_there_is_no_such_worker(worker):
    with pytest.raises(ValueError, match=f"worker: {worker} is not one of 2"):
        next(TWO.slices(worker, 2))

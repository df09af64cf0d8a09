import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rally_magnum_scale.in_bay.stats import arrivals
from rally_magnum_scale.in_bay.stats.steps import Plan
from rally_magnum_scale.in_bay.stats.steps import Step

PLAN = Plan((Step(1000, 10, 10), Step(4000, 10)))


def due_ns(plan, worker=0, workers=1, *, kind="poisson", seed="task/1"):
    found = arrivals.Schedule(
        kind, plan, worker, workers, seed=seed, start_ns=5
    )
    # So that one without an end fails.
    return [one - 5 for one in itertools.islice(found, 200_000)]


def due(plan, *args, **options):
    return [one / arrivals.NS_PER_S for one in due_ns(plan, *args, **options)]


def test_constant_arrivals_are_even():
    found = due(Plan((Step(100, 2),)), kind="constant")
    gaps = {round(b - a, 6) for a, b in itertools.pairwise(found)}
    assert (len(found), gaps) == (200, {0.01})


@pytest.mark.parametrize(
    ("rate_rps", "first_ns"),
    [
        (2.5, [199_999_999, 599_999_999, 999_999_999]),
        (25, [20_000_000, 60_000_000, 99_999_999]),
        (50, [10_000_000, 29_999_999, 49_999_999]),
    ],
)
def test_what_is_due_where_a_slice_ends_is_due_in_its_last_nanosecond(
    rate_rps, first_ns
):
    found = due_ns(Plan((Step(rate_rps, 1),)), kind="constant")
    assert found[: len(first_ns)] == first_ns


def test_a_poisson_process_has_the_rate_of_its_plan_through_a_ramp():
    found = due(PLAN)
    assert found == sorted(found)
    # Rising from 0, the ramp has half of what it would have at its end.
    for begin_s, end_s, expected in (
        (0, 5, 1250),
        (5, 10, 3750),
        (10, 20, 10_000),
        (20, 30, 40_000),
    ):
        count = sum(begin_s <= one < end_s for one in found)
        assert abs(count - expected) < 4 * math.sqrt(expected)


def test_its_gaps_are_exponential():
    rate_rps = 5000.0
    found = due(Plan((Step(rate_rps, 20),)))
    gaps = sorted(b - a for a, b in itertools.pairwise(found))
    # Kolmogorov and Smirnov: the greatest distance of two distributions.
    distance = max(
        abs((index + 0.5) / len(gaps) - (1 - math.exp(-gap * rate_rps)))
        for index, gap in enumerate(gaps)
    )
    assert distance < 1.63 / math.sqrt(len(gaps))
    pairs = list(
        itertools.pairwise(b - a for a, b in itertools.pairwise(found))
    )
    mean = 1 / rate_rps
    together = sum((a - mean) * (b - mean) for a, b in pairs) / len(pairs)
    assert abs(together / mean**2) < 4 / math.sqrt(len(pairs))


def test_a_second_has_as_many_as_chance_allows():
    found = due(Plan((Step(400, 200),)))
    counts = [0] * 200
    for one in found:
        counts[int(one)] += 1
    mean = sum(counts) / len(counts)
    variance = sum((one - mean) ** 2 for one in counts) / len(counts)
    # Variance and mean of a Poisson distribution are equal.
    assert 0.6 < variance / mean < 1.5


def test_a_run_can_be_repeated():
    assert due(PLAN) == due(PLAN)
    assert due(PLAN, seed="task/2") != due(PLAN)


@pytest.mark.parametrize(
    ("rate_rps", "first_ns"),
    [
        (4, [611_419_165, 835_285_834]),
        (50, [13_192_494, 44_734_033, 63_032_575, 92_163_782]),
    ],
)
def test_a_seed_stands_for_the_same_times_in_each_release(rate_rps, first_ns):
    assert due_ns(Plan((Step(rate_rps, 1),)))[:4] == first_ns


def test_each_worker_has_a_stream_of_its_own():
    streams = [due(PLAN, worker, 4) for worker in range(4)]
    assert len({one for each in streams for one in each}) == sum(
        map(len, streams)
    )
    total = sum(map(len, streams))
    assert abs(total - 55_000) < 4 * math.sqrt(55_000)


def test_workers_send_in_turn():
    plan = Plan((Step(10, 1),))
    both = [due(plan, worker, 2, kind="constant") for worker in (0, 1)]
    together = sorted(both[0] + both[1])
    gaps = {round(b - a, 3) for a, b in itertools.pairwise(together)}
    assert (len(together), gaps) == (10, {0.1})


@pytest.mark.parametrize("kind", arrivals.ARRIVALS)
def test_in_a_closed_loop_nothing_is_due(kind):
    found = due(Plan((Step(100, 1), Step(None, 5), Step(100, 1))), kind=kind)
    assert not [one for one in found if 1 < one < 6]
    assert 100 < len(found) < 300


def test_other_arrivals_are_refused():
    with pytest.raises(ValueError, match=r"^arrivals: 'bursts' is none of"):
        due(PLAN, kind="bursts")


@given(
    st.lists(
        st.builds(
            Step,
            st.one_of(st.none(), st.floats(0.1, 900)),
            st.integers(1, 3),
            st.integers(0, 2),
        ),
        min_size=1,
        max_size=4,
    ).map(lambda found: Plan(tuple(found))),
    st.sampled_from(arrivals.ARRIVALS),
    st.integers(1, 3),
)
def test_what_is_due_is_counted_by_the_steps_whose_seconds_it_is_due_in(
    plan, kind, workers
):
    for worker in range(workers):
        schedule = arrivals.Schedule(
            kind, plan, worker, workers, seed="", start_ns=7
        )
        found = [None if s.rate_rps is None else 0 for s in plan.steps]
        for due_ns in schedule:
            where = plan.position((due_ns - 7) // arrivals.NS_PER_S)
            if where.phase == "steady":
                found[where.step] += 1
        assert schedule.due == found

import json
import math
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rally_magnum_scale.in_bay.stats import histogram
from rally_magnum_scale.in_bay.stats.histogram import Histogram
from rally_magnum_scale.in_bay.stats.histogram import PackedSum

TIMES_US = st.integers(min_value=0, max_value=10**10)
VALUES = st.dictionaries(TIMES_US, st.integers(1, 1000), max_size=30)
HISTOGRAMS = VALUES.map(Histogram.from_values_us)


@given(TIMES_US)
def test_a_bucket_holds_its_value_within_a_tenth_of_a_percent(value_us):
    floor_us = histogram.bucket_floor_us(value_us)
    top_us = histogram.bucket_top_us(floor_us)
    assert floor_us <= value_us <= top_us
    assert top_us - floor_us <= value_us / 1000
    assert histogram.bucket_floor_us(top_us) == floor_us
    assert histogram.bucket_floor_us(top_us + 1) == top_us + 1


@pytest.mark.parametrize(
    ("value_us", "floor_us", "top_us"),
    [
        (0, 0, 0),
        (2047, 2047, 2047),
        (2048, 2048, 2049),
        (2049, 2048, 2049),
        (4095, 4094, 4095),
        (4096, 4096, 4099),
        (10_000_000, 9_994_240, 10_002_431),
    ],
)
def test_a_bucket_has_these_ends(value_us, floor_us, top_us):
    assert histogram.bucket_floor_us(value_us) == floor_us
    assert histogram.bucket_top_us(floor_us) == top_us


@given(HISTOGRAMS, HISTOGRAMS, HISTOGRAMS)
def test_merging_does_not_depend_on_the_order(one, two, three):
    assert one.merge(two) == two.merge(one)
    assert one.merge(two).merge(three) == one.merge(two.merge(three))
    assert one.merge(two, three) == one.merge(two).merge(three)
    assert one.merge(two).total == one.total + two.total


@given(HISTOGRAMS, HISTOGRAMS)
def test_what_was_merged_can_be_taken_away(one, two):
    assert one.merge(two).less(two) == one
    assert one.less(one) == one.less(one, Histogram()) == Histogram()
    assert one.less() == one


def test_none_of_a_time_can_be_taken_away_where_there_is_none():
    assert Histogram({5: 1}).less(Histogram({6: 0})) == Histogram({5: 1})


@pytest.mark.parametrize("more", [{5: 2}, {5: 1, 6: 1}])
def test_no_more_is_taken_away_than_there_is(more):
    with pytest.raises(ValueError, match="holds less than is subtracted"):
        Histogram({5: 1, 7: 9}).less(Histogram(more))


def test_a_time_at_the_beginning_of_its_bucket_is_as_long_as_that():
    some = Histogram.from_values_us({2047: 1, 2048: 2, 2050: 4})
    assert some.at_least_us(2048).counts == {2048: 2, 2050: 4}
    assert some.at_least_us(2049).counts == {2050: 4}


@given(VALUES, TIMES_US)
def test_times_from_one_on_are_told_but_those_of_its_own_bucket(
    values, least_us
):
    kept = Histogram.from_values_us(values).at_least_us(least_us)
    next_us = histogram.bucket_top_us(histogram.bucket_floor_us(least_us)) + 1
    longer = {one: n for one, n in values.items() if one >= next_us}
    as_long = {one: n for one, n in values.items() if one >= least_us}
    assert sum(longer.values()) <= kept.total <= sum(as_long.values())
    assert all(floor_us >= least_us for floor_us in kept.counts)


@given(
    st.lists(TIMES_US, min_size=1, max_size=200),
    st.sampled_from([0.1, 1, 25, 50, 90, 99, 99.9, 99.99, 100]),
)
def test_a_percentile_is_that_of_the_sorted_list(values, percentile):
    counts = {value: values.count(value) for value in values}
    exact = sorted(values)[
        max(1, math.ceil(round(percentile * len(values) / 100, 6))) - 1
    ]
    got = Histogram.from_values_us(counts).percentile_us(percentile)
    assert exact <= got <= exact * 1.001


@given(TIMES_US)
def test_buckets_are_numbered_without_a_gap(value_us):
    floor_us = histogram.bucket_floor_us(value_us)
    number = histogram.bucket_number(floor_us)
    assert histogram.numbered_floor_us(number) == floor_us
    next_us = histogram.bucket_top_us(floor_us) + 1
    assert histogram.bucket_number(next_us) == number + 1


@given(HISTOGRAMS)
def test_json_brings_it_back(one):
    assert Histogram.from_json(json.loads(json.dumps(one.to_json()))) == one


def test_json_lists_counts_and_skips_what_is_empty():
    one = Histogram.from_values_us({2: 7, 3: 1, 2048: 5, 2049: 1})
    assert one.to_json() == "-2 7 1 -2044 6"
    assert Histogram.from_values_us({0: 4}).to_json() == "4"
    assert Histogram().to_json() == ""


def test_one_that_was_read_takes_a_fifth_of_a_dict_s_memory_at_most():
    text = Histogram.from_values_us(
        {us: us for us in range(1000, 9000, 2)}
    ).to_json()
    tracemalloc.start()
    held = [Histogram.from_json(text[:-1] + "9") for _ in range(20)]
    read_bytes, _ = tracemalloc.get_traced_memory()
    as_dicts = [dict(one.counts) for one in held]
    dicts_bytes = tracemalloc.get_traced_memory()[0] - read_bytes
    tracemalloc.stop()
    assert as_dicts[0] == held[0].counts
    assert read_bytes < dicts_bytes / 5


@pytest.mark.parametrize(
    "broken", [{"9": 1}, ["1"], [1], 5, None, "x", "1 ", "1  2", "0", "1.5"]
)
def test_what_is_no_json_of_a_histogram_is_refused(broken):
    with pytest.raises(ValueError, match="Invalid histogram"):
        Histogram.from_json(broken)


def test_the_beginning_of_what_is_no_histogram_is_told():
    with pytest.raises(ValueError, match=f"Invalid histogram: '{'x' * 80}'.$"):
        Histogram.from_json("x" * 200)


@given(st.lists(HISTOGRAMS, max_size=5))
def test_packed_ones_add_up_as_plain_ones_do(many):
    total = PackedSum()
    for one in many:
        total.add(one.packed())
    assert total.histogram() == Histogram().merge(*many)


def test_a_bucket_of_the_sum_holds_millions_of_requests_a_second():
    total = PackedSum()
    fullest = Histogram.from_values_us({3: 2_000_000_000, 4: 1})
    total.add(fullest.packed())
    total.add(fullest.packed())
    assert total.histogram().counts == {3: 4_000_000_000, 4: 2}


@pytest.mark.parametrize("broken", [b"", b"no zlib", "text", None, [1]])
def test_what_is_not_packed_is_refused(broken):
    with pytest.raises(ValueError, match="Invalid packed histogram"):
        PackedSum().add(broken)


def test_a_packed_one_is_small():
    spread = Histogram.from_values_us(dict.fromkeys(range(500, 9000, 3), 1))
    as_json = json.dumps(spread.to_json(), separators=(",", ":"))
    assert len(spread.packed()) < len(as_json) / 3


def test_the_rank_of_a_percentile_is_not_lifted_by_floating_point():
    thousand = Histogram.from_values_us(dict.fromkeys(range(1, 1001), 1))
    assert thousand.percentile_us(99.9) == 999
    assert thousand.percentiles_us([50, 100]) == [500, 1000]


def test_a_rank_just_above_a_whole_number_is_the_next_one():
    assert Histogram({1: 1, 2: 1}).percentile_us(50) == 1
    assert Histogram({1: 1, 2: 1}).percentile_us(50.0001) == 2
    # 99.9 * 1343000000 / 100 is 1341657000.0000002 in floating point.
    many = Histogram({1: 1_341_657_000, 2: 1_343_000})
    assert many.percentile_us(99.9) == 1


def test_what_is_above_all_times_has_ranks_of_its_own():
    some = Histogram({1: 5, 2: 4})
    assert some.percentiles_us([50, 90, 90.1, 100], 1) == [1, 2, None, None]
    assert Histogram().percentiles_us([1], 1) == [None]


def test_a_time_that_was_never_seen_is_no_percentile():
    assert Histogram.from_values_us({5: 0, 9: 1}).percentile_us(1e-9) == 9


def test_a_histogram_equals_one_with_the_same_counts_alone():
    one = Histogram({5: 1})
    assert one == Histogram.from_json(one.to_json())
    assert one != Histogram({5: 2})
    assert one != {5: 1}
    assert repr(one) == "Histogram({5: 1})"


def test_an_empty_one_has_no_figures():
    empty = Histogram()
    assert empty.total == 0
    assert empty.percentile_us(99) is None
    assert empty.max_us is None


def test_the_maximum():
    some = Histogram.from_values_us({10: 1, 20: 3})
    assert some.max_us == 20


@pytest.mark.parametrize("percentile", [0, -1, 100.1])
def test_there_is_no_such_percentile(percentile):
    with pytest.raises(ValueError, match="percentile"):
        Histogram.from_values_us({1: 1}).percentile_us(percentile)


@pytest.mark.parametrize("values", [{-1: 1}, {1: -1}])
def test_nothing_is_negative(values):
    with pytest.raises(ValueError, match="negative"):
        Histogram.from_values_us(values)

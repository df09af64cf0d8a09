import pytest

from rally_magnum_scale.in_bay.stats import cpu_time
from rally_magnum_scale.in_bay.stats.cpu_time import Reading

START_S, END_S = 1000.0, 1060.0


def counter(at_s):
    """A tenth of a core before the stretch and after it, half a core in it."""
    before = min(at_s, START_S) * 0.1
    inside = max(0.0, min(at_s, END_S) - START_S) * 0.5
    after = max(0.0, at_s - END_S) * 0.1
    return before + inside + after


def readings(*times):
    return [Reading(at_s, counter(at_s)) for at_s in times]


def used(*times):
    return cpu_time.used(readings(*times), START_S, END_S)


def test_readings_at_both_ends_give_it_exactly():
    assert used(1000, 1060) == cpu_time.Use(pytest.approx(30.0), 0.0, 1.0)


def test_readings_inside_are_scaled_to_the_whole():
    found = used(990, 1013.5, 1051, 1069)
    assert found == cpu_time.Use(pytest.approx(30.0), 0.0, 37.5 / 60)


def test_a_reading_just_outside_costs_what_it_says():
    found = used(997, 1057)
    assert found.outside_ratio == pytest.approx(0.05)
    # 3 s of the other load are in it: no more off than it says.
    assert found.used_s == pytest.approx(30.0, rel=0.05)
    assert found.used_s != pytest.approx(30.0, rel=0.01)


@pytest.mark.parametrize(
    ("left_out_s", "outside"), [(12.1, True), (11.8, False)]
)
def test_a_second_outside_costs_as_much_as_twenty_left_out(
    left_out_s, outside
):
    # The first reading is 0.6 s early: a little less than 12 s inside.
    found = used(999.4, 1000 + left_out_s, 1060)
    assert (found.outside_ratio > 0) is outside


@pytest.mark.parametrize("times", [(990, 1090), (1000, 1100)])
def test_a_tenth_of_the_time_may_lie_outside(times):
    found = cpu_time.used(readings(*times), 1000, 1090)
    assert found.outside_ratio == pytest.approx(0.1)
    one, other = times
    further = (one - 0.1, other) if one < 1000 else (one, other + 0.1)
    assert cpu_time.used(readings(*further), 1000, 1090) is None


def test_three_tenths_of_a_step_must_be_covered():
    assert used(1030, 1048).covered_ratio == 0.3
    assert used(1030, 1047.9) is None


def test_a_step_of_one_second_is_judged_by_the_same_shares():
    found = cpu_time.used(readings(1000.2, 1000.8), 1000, 1001)
    assert found.outside_ratio == 0.0
    assert found.covered_ratio == pytest.approx(0.6)
    assert found.used_s == pytest.approx(0.5)


def test_what_covers_most_is_taken():
    # 1001 to 1002 would have nothing outside either, but says little.
    found = used(1001, 1002, 1030, 1059.5, 1061)
    assert found == cpu_time.Use(pytest.approx(30.0), 0.0, 58.5 / 60)
    # More would be covered, but with 2.5 s of another load.
    assert used(997.5, 1012, 1057.5).outside_ratio == 0.0


@pytest.mark.parametrize(
    "times",
    [
        (),
        (1030,),
        # Before, and after: nothing of the stretch by itself.
        (980, 1080),
        (900, 950),
        (1070, 1090),
        # Most of it lies before.
        (980, 1010),
        # Too close together to stand for a minute.
        (1030, 1033),
        # The node has not read it anew in between.
        (1030, 1030),
    ],
)
def test_without_two_good_readings_there_is_no_figure(times):
    assert used(*times) is None


def test_a_counter_that_begins_anew_gives_no_figure():
    found = [*readings(1005, 1055), Reading(1030, 0.5)]
    assert cpu_time.used(found, START_S, END_S) is None
    assert cpu_time.used(found[:2], START_S, END_S) is not None


def test_a_counter_that_began_anew_long_before_is_no_matter():
    found = [Reading(990, 1e6), *readings(1000, 1060)]
    assert cpu_time.used(found, START_S, END_S).used_s == pytest.approx(30)


def test_two_values_of_one_moment_are_no_time_to_divide_by():
    found = [*readings(1000, 1060), Reading(1000, counter(1000) + 0.1)]
    assert cpu_time.used(found, START_S, END_S).used_s == pytest.approx(
        30, abs=0.11
    )
    assert cpu_time.used(found[::2], START_S, END_S) is None


def test_all_must_be_known_for_a_sum():
    good, bad = readings(1000, 1060), readings(1000)
    both = {"a": good, "b": readings(994, 1057)}
    found = cpu_time.used_by_all(both, START_S, END_S)
    assert found.covered_ratio == pytest.approx(0.95)
    assert found.used_s == pytest.approx(60, rel=0.05)
    assert 0 < found.outside_ratio < 0.06
    for counters in ({"a": good, "b": bad}, {}):
        assert cpu_time.used_by_all(counters, START_S, END_S) is None


def test_who_does_nothing_uses_nothing():
    idle = {"a": [Reading(1000, 5.0), Reading(1060, 5.0)]}
    found = cpu_time.used_by_all(idle, START_S, END_S)
    assert found == cpu_time.Use(0.0, 0.0, 1.0)

"""How much worse a value is than another, whichever side is good."""

import math

import pytest

from rally_magnum_scale.measurement import trend


@pytest.mark.parametrize(
    ("at_least", "value", "reference", "worse"),
    [
        (True, 90.0, 100.0, 0.1),
        (True, 110.0, 100.0, -0.1),
        (False, 110.0, 100.0, 0.1),
        (False, 90.0, 100.0, -0.1),
        (False, -90.0, -100.0, 0.1),
        (True, 100.0, 100.0, 0.0),
        (False, 0.0, 0.0, 0.0),
        (True, 0.0, 0.0, 0.0),
        (False, 5.0, 0.0, math.inf),
        (True, 5.0, 0.0, -math.inf),
        (True, -5.0, 0.0, math.inf),
        (False, -5.0, 0.0, -math.inf),
    ],
)
def test_worse_is_a_share_of_the_reference(at_least, value, reference, worse):
    found = trend.Trend("m", "s", at_least, ())
    assert found.worse_ratio(value, reference) == pytest.approx(worse)


@pytest.mark.parametrize(
    ("known", "rule"),
    [([], 0.0), ([None], 0.0), ([4.0, None, 1.0, None, 2.0], 2.0)],
)
def test_a_metric_is_measured_as_closely_as_half_of_the_runs_are(known, rule):
    points = tuple(
        trend.Point(str(number), number, 5.0, resolution)
        for number, resolution in enumerate(known)
    )
    assert trend.Trend("m", "s", False, points).resolution == rule


def test_a_metric_is_named_by_its_bound_and_place():
    assert trend.metric_name("a", "b_s") == "a.b_s"
    assert trend.metric_name("a", "b_s", "step 3") == "a.b_s step 3"

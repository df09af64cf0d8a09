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
        (False, 0.0, 0.0, 0.0),
        (False, 5.0, 0.0, math.inf),
        (True, 5.0, 0.0, -math.inf),
        (True, -5.0, 0.0, math.inf),
    ],
)
def test_worse_is_a_share_of_the_reference(at_least, value, reference, worse):
    found = trend.Trend("m", "s", at_least, ())
    assert found.worse_ratio(value, reference) == pytest.approx(worse)


def test_a_metric_is_named_by_its_bound_and_place():
    assert trend.metric_name("a", "b_s") == "a.b_s"
    assert trend.metric_name("a", "b_s", "step 3") == "a.b_s step 3"

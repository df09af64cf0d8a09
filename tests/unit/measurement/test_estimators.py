"""Student's t, against the closed forms and a published table."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rally_magnum_scale.measurement import estimators

T = st.floats(-50, 50)


@pytest.mark.parametrize(
    ("freedom", "t", "p_value"),
    # Quantiles of Abramowitz and Stegun, table 26.10.
    [
        (1, 6.314, 0.05),
        (2, 6.965, 0.01),
        (3, 5.841, 0.005),
        (7, 2.998, 0.01),
        (10, 2.764, 0.01),
        (30, 3.385, 0.001),
    ],
)
def test_tails_are_those_of_the_table(
    freedom: int, t: float, p_value: float
) -> None:
    assert estimators.upper_tail(t, freedom) == pytest.approx(
        p_value, rel=2e-3
    )


@given(t=T, freedom=st.integers(1, 60))
def test_both_tails_make_one(t: float, freedom: int) -> None:
    both = estimators.upper_tail(t, freedom) + estimators.upper_tail(
        -t, freedom
    )
    assert both == pytest.approx(1)


@given(t=T)
def test_one_degree_of_freedom_is_cauchys_distribution(t: float) -> None:
    tail = 0.5 - math.atan(t) / math.pi
    assert estimators.upper_tail(t, 1) == pytest.approx(tail, abs=1e-12)


@pytest.mark.parametrize(("t", "tail"), [(46.0, 0.0), (-46.0, 1.0)])
def test_rounding_makes_no_tail_less_than_nothing_or_more_than_all(
    t: float, tail: float
) -> None:
    # The series alone ends 2e-16 beyond 1 here.
    assert estimators.upper_tail(t, 18) == tail

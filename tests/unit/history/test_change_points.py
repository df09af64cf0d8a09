"""Change points over many runs, by the real Otava."""

import math
import random
import sys

import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale.history import change_points
from rally_magnum_scale.measurement import trend
from tests.unit import fresh_python


def trend_of(values: list[float], at_least: bool = False) -> trend.Trend:
    points = [
        trend.Point(f"t{number}/1", 1e9 + 86400 * number, value)
        for number, value in enumerate(values, 1)
    ]
    return trend.Trend("m", "ms", at_least, tuple(points))


def noisy(level: float, runs: int) -> list[float]:
    rng = random.Random(int(level))
    return [level * (1 + rng.gauss(0, 0.02)) for _ in range(runs)]


UP_AND_DOWN = noisy(100, 15) + noisy(120, 15) + noisy(90, 15)


@pytest.mark.parametrize("at_least", [False, True])
def test_each_change_is_found_with_its_direction(at_least: bool) -> None:
    up, down = change_points.find(trend_of(UP_AND_DOWN, at_least))
    assert (up.index, up.since.run, down.since.run) == (15, "t16/1", "t31/1")
    side = -1 if at_least else 1
    assert up.change_ratio == pytest.approx(side * 0.2, abs=0.02)
    assert down.change_ratio == pytest.approx(side * -0.25, abs=0.02)
    assert (up.baseline, up.value) == pytest.approx((100, 120), abs=2)
    assert max(up.p_value, down.p_value) < 0.001


@pytest.mark.parametrize(
    "values", [[], [1.0], [5.0] * 30, [0.0] * 30, noisy(100, 30)]
)
def test_without_a_change_there_is_no_change_point(
    values: list[float],
) -> None:
    assert change_points.find(trend_of(values)) == ()


def test_a_change_may_be_too_small_to_tell() -> None:
    values = trend_of(UP_AND_DOWN)
    assert change_points.find(values, min_change_ratio=0.5) == ()


@pytest.mark.parametrize(
    ("at_least", "ratio"), [(False, math.inf), (True, -math.inf)]
)
def test_a_change_from_zero_has_a_direction_and_no_share(
    at_least: bool, ratio: float
) -> None:
    values = trend_of([0.0] * 15 + [3.0] * 15, at_least)
    (found,) = change_points.find(values)
    assert (found.baseline, found.value, found.change_ratio) == (0, 3, ratio)


def test_without_otava_one_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "otava", None)
    with pytest.raises(exceptions.MissingExtra, match=r"\[regression\]'"):
        change_points.find(trend_of(UP_AND_DOWN))


def test_otava_is_imported_only_when_it_is_used() -> None:
    found = fresh_python.run(
        "import sys\n"
        "from rally_magnum_scale.history import change_points\n"
        "print([m for m in ('otava', 'numpy', 'scipy') if m in sys.modules])"
    )
    assert found.strip() == "[]"

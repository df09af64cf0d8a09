"""What runs before measured, in bars and words."""

import dataclasses
import re

import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale.history import storage
from rally_magnum_scale.measurement import trend
from rally_magnum_scale.measurement import verdicts
from rally_magnum_scale.report import past
from tests.unit import factories
from tests.unit.history import test_storage

NAME = "bay_create_time.max_s"
(VERDICT,) = verdicts.judge("bay_create_time", {"max_s": 60}, factories.run())


def told(*values, now=12.0, reason=""):
    points = tuple(
        trend.Point(str(number), float(number), value)
        for number, value in enumerate(values)
    )
    known = {NAME: trend.Trend(NAME, "s", False, points)}
    verdict = dataclasses.replace(VERDICT, value=now, reason=reason)
    return past.of(verdict, known)


@pytest.mark.parametrize(
    ("values", "now", "bars", "words"),
    [
        ((10.0,), 12.0, "▁█", "10 s in 1 run before; now 20% worse"),
        ((10.0, 12.0, 14.0), 6.0, "▅▆█▁", "12 s in 3 runs .* 50% better"),
        ((12.0, 12.0), 12.0, "▅▅▅", "12 s in 2 runs before; now the same"),
        ((12.0,), None, "▅", "12 s in 1 run before$"),
    ],
)
def test_runs_before_are_bars_and_words(values, now, bars, words):
    found = told(*values, now=now)
    assert found.bars == bars
    assert re.match(words, found.words)


def test_only_the_last_runs_are_shown():
    found = told(*range(100, 0, -1))
    assert len(found.bars) == past.MOST_RUNS + 1
    assert "in 12 runs before" in found.words


def test_what_does_not_count_is_not_compared():
    assert told(10.0, now=99.0, reason="it was late").bars == "▅"
    assert past.of(VERDICT, {}) is None


def test_the_history_is_named_by_the_environment(tmp_path):
    path = tmp_path / "history.jsonl"
    assert past.read({}) == []
    assert past.read({past.VARIABLE: str(path)}) == []
    storage.append(path, [test_storage.GOOD])
    assert past.read({past.VARIABLE: str(path)}) == [test_storage.GOOD]
    path.write_text("{")
    with pytest.raises(exceptions.InvalidInput, match="Line 1"):
        past.read({past.VARIABLE: str(path)})

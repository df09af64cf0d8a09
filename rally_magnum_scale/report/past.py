"""The values of previous comparable runs, shown beside each verdict."""

from __future__ import annotations

import dataclasses
import math
import os
import pathlib
import statistics
from collections.abc import Collection
from collections.abc import Mapping
from collections.abc import Sequence

from rally_magnum_scale.history import storage
from rally_magnum_scale.measurement import metrics
from rally_magnum_scale.measurement import trend
from rally_magnum_scale.measurement import verdicts

# Environment variable with the path of the history, for Rally's exporters.
VARIABLE = "RALLY_MAGNUM_SCALE_HISTORY"
# More bars could not be distinguished.
MOST_RUNS = 12
_BARS = "▁▂▃▄▅▆▇█"


@dataclasses.dataclass(frozen=True)
class Past:
    """The previous runs, for one verdict.

    :param bars: a bar for each of the last runs, including this one; a
        higher bar is a larger value, which may be better or worse
    :param words: their values in words
    """

    bars: str
    words: str


def read(environ: Mapping[str, str] = os.environ) -> list[storage.StoredRun]:
    """Read the history that :data:`VARIABLE` names; empty if it is not set.

    :raises InvalidInput: when it can't be read
    """
    named = environ.get(VARIABLE)
    path = pathlib.Path(named).expanduser() if named else None
    return storage.read(path, missing_ok=True) if path else []


def trends(
    run: storage.StoredRun,
    runs: Sequence[storage.StoredRun],
    across: Collection[str] = (),
) -> dict[str, trend.Trend]:
    """Return the trend of each metric over the comparable runs before a run.

    :param runs: the history; the run itself may be in it
    :param across: conditions in which the runs may differ
    """
    before = [one for one in runs if one.at_s < run.at_s and one.id != run.id]
    return storage.trends(storage.comparable(before, run.conditions, across))


def of(
    verdict: verdicts.Verdict, known: Mapping[str, trend.Trend]
) -> Past | None:
    """Return the values of the previous runs; None if there are none.

    :param known: the result of :func:`trends`
    """
    name = trend.metric_name(
        verdict.criterion, verdict.bound_key, metrics.place_of(verdict)
    )
    found = known.get(name)
    if found is None:
        return None
    values = [point.value for point in found.points[-MOST_RUNS:]]
    value = verdict.value
    now = []
    if value is not None and math.isfinite(value) and not verdict.reason:
        now = [value]
    return Past(_bars([*values, *now]), _words(values, found, now))


def _words(
    values: Sequence[float], found: trend.Trend, now: Sequence[float]
) -> str:
    level = statistics.median(values)
    runs = "1 run" if len(values) == 1 else f"{len(values)} runs"
    said = f"{verdicts.format_value(level, found.unit)} in {runs} before"
    if not now or not level:
        return said
    ratio = found.worse_ratio(now[0], level)
    if abs(ratio) < 0.005:  # Which rounds to 0 %.
        return f"{said}; now the same"
    side = "worse" if ratio > 0 else "better"
    return f"{said}; now {abs(ratio):.0%} {side}"


def _bars(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    if low == high:
        return _BARS[len(_BARS) // 2] * len(values)
    share = (len(_BARS) - 1) / (high - low)
    return "".join(_BARS[round((one - low) * share)] for one in values)

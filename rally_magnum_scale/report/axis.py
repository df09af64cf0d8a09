"""Axes: from values to pixels, with ticks at round numbers."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable

# Beyond a factor of 20 the lower percentiles lie flat on the zero line.
LOG_RATIO = 20
MAX_LOG_TICKS = 8
_ROUND = (1.0, 2.0, 2.5, 5.0, 10.0)
_ROUND_MINUTES = (1, 2, 5, 10, 15, 30, 60, 120, 240, 480)


@dataclasses.dataclass(frozen=True)
class Tick:
    """A marked value and what is written beside it."""

    value: float
    text: str


@dataclasses.dataclass(frozen=True)
class Axis:
    """A range of values, linear or logarithmic.

    :param low: the value at its beginning; above 0 when logarithmic
    :param high: the value at its end
    """

    low: float
    high: float
    ticks: tuple[Tick, ...]
    title: str
    logarithmic: bool = False

    def share(self, value: float) -> float:
        """Return where a value lies: 0 at the beginning, 1 at the end."""
        if self.logarithmic:
            value = max(value, self.low)
            whole = math.log(self.high / self.low)
            return math.log(value / self.low) / whole
        return (value - self.low) / (self.high - self.low)


def rate_axis(values: Iterable[float], ticks: int = 5) -> Axis:
    """Return a linear axis from 0, for requests a second."""
    high = max(values, default=0.0) or 1.0
    step = _round_up(high / ticks)
    # A little room, or a line along its maximum hides under the frame.
    count = math.ceil(high * 1.03 / step)
    return Axis(
        low=0.0,
        high=count * step,
        ticks=tuple(
            Tick(i * step, short_number(i * step)) for i in range(count + 1)
        ),
        title="requests a second",
    )


def latency_axis(values_ms: Iterable[float], ticks: int = 5) -> Axis:
    """Return an axis for ms, logarithmic where the values need it."""
    found = [value for value in values_ms if value > 0]
    high = max(found, default=1.0)
    low = min(found, default=high)
    if high / low > LOG_RATIO:
        return _log_axis(low, high)
    linear = rate_axis([high], ticks)
    return dataclasses.replace(linear, title="latency in ms")


def share_axis() -> Axis:
    """Return a linear axis from 0 to 100 %."""
    return Axis(
        low=0.0,
        high=100.0,
        ticks=tuple(Tick(at, f"{at} %") for at in range(0, 101, 25)),
        title="share of the answers",
    )


def time_axis(length_s: float, ticks: int = 8) -> Axis:
    """Return the seconds, or minutes, since the load began."""
    if length_s <= 300:
        step = max(1.0, _round_up(length_s / ticks))
        unit, unit_s = "seconds", 1
    else:
        wanted = length_s / 60 / ticks
        minutes = [m for m in _ROUND_MINUTES if m >= wanted]
        step = float(60 * (minutes or [math.ceil(wanted)])[0])
        unit, unit_s = "minutes", 60
    marks = [i * step for i in range(int(length_s / step) + 1)]
    return Axis(
        low=0.0,
        high=float(max(length_s, 1)),
        ticks=tuple(Tick(at, f"{at / unit_s:g}") for at in marks),
        title=f"{unit} since the load began",
    )


def short_number(value: float) -> str:
    """Write a number with k, M or G where it is long."""
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.4g}{letter}"
    return f"{value:.4g}"


def _log_axis(low: float, high: float) -> Axis:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)))
    marks = [m * 10.0**d for d in decades for m in (1, 2, 5)]
    marks.append(10.0**decades.stop)
    start = max(mark for mark in marks if mark <= low * (1 + 1e-9))
    end = min(mark for mark in marks if mark >= high * (1 - 1e-9))
    shown = [mark for mark in marks if start <= mark <= end]
    if len(shown) > MAX_LOG_TICKS:
        powers = [10.0**d for d in (*decades, decades.stop)]
        shown = [mark for mark in powers if start <= mark <= end]
    return Axis(
        low=start,
        high=end,
        ticks=tuple(Tick(mark, f"{mark:,.12g}") for mark in shown),
        title="latency in ms, logarithmic",
        logarithmic=True,
    )


def _round_up(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return next(r * power for r in _ROUND if r * power >= value * (1 - 1e-9))

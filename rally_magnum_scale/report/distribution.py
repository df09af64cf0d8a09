"""Plot the latency of each step by percentile, like HdrHistogram.

The axis counts nines: the distances between 90 %, 99 % and 99.9 % are the
same.  So the few slow responses, in which systems differ, get most of the
space.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.in_bay.stats import steps
from rally_magnum_scale.in_bay.stats import windows
from rally_magnum_scale.report import drawing
from rally_magnum_scale.report import formatting
from rally_magnum_scale.report import histogram_sum

_PER_NINE = 25
# Colours of the steps; more steps are distinguished by their end points.
_COLOURS = ("blue", "orange", "violet", "good", "bad", "warn")
_DASHES = ("-", "--", "-.", ":")


@dataclasses.dataclass(frozen=True)
class StepDistribution:
    """The distribution of one step.

    :param total: number of requests that were due in its steady seconds
    :param spots: points: a number of nines and the latency in ms
    """

    step: int
    total: int
    spots: tuple[tuple[float, float], ...]


def find(run: records.Run) -> list[StepDistribution]:
    """Return the latency distribution of the requests due in each step.

    The distribution ends where the failed requests begin.
    """
    found = []
    for number in sorted({window.step for window in run.windows}):
        due = windows.due_in(run.windows, number, steps.STEADY)
        merged = histogram_sum.HistogramSum(one.latency_us for one in due)
        failed = sum(sum(one.failures.values()) for one in due)
        if merged.total:
            spots = _spots(merged, failed)
            found.append(
                StepDistribution(number, merged.total + failed, spots)
            )
    return found


def _spots(
    merged: histogram_sum.HistogramSum, failed: int
) -> tuple[tuple[float, float], ...]:
    most = math.log10(merged.total + failed)
    # The smallest latency is at 0 nines, as its percentile is nearly 0.
    nines = [i / _PER_NINE for i in range(math.floor(most * _PER_NINE) + 1)]
    wanted = [100 * (1 - 10.0**-nine) or 1e-9 for nine in nines]
    values = merged.percentiles_us(wanted, failed)
    spots = [
        (nine, value / 1000)
        for nine, value in zip(nines, values, strict=True)
        if value is not None
    ]
    if failed:
        return tuple(spots)
    # The largest is that of the last request.
    return (*spots, (most, (merged.max_us or 0) / 1000))


def draw(found: Sequence[StepDistribution], identifier: str) -> str:
    """Return the plot as SVG; empty if there is no step."""
    if not found:
        return ""
    figure, axes = drawing.new()
    for one in found:
        axes.plot(
            [nine for nine, _ in one.spots],
            [value for _, value in one.spots],
            color=drawing.COLOUR[_COLOURS[(one.step - 1) % len(_COLOURS)]],
            linestyle=_DASHES[(one.step - 1) // len(_COLOURS) % len(_DASHES)],
            label=f"step {one.step}",
        )
    most = math.ceil(max(one.spots[-1][0] for one in found))
    ticks = range(most + 1)
    axes.set_xticks(ticks, [_percent(nines) for nines in ticks])
    axes.set_xlim(0, max(1, most))
    drawing.latency_scale(
        axes, (value for one in found for _, value in one.spots)
    )
    drawing.name_axes(axes, "share of the responses")
    drawing.legend(axes)
    return drawing.svg(
        figure, identifier, "Latency by percentile", _describe(found)
    )


def _percent(nines: int) -> str:
    """Return the percentage for a number of nines, such as 99.9 %."""
    return f"{100 * (1 - 10.0**-nines):.{max(0, nines - 2)}f} %"


def _describe(found: Sequence[StepDistribution]) -> str:
    return " ".join(
        f"Step {one.step}, {formatting.number(one.total)} responses: half "
        f"within {_at(one, 0.30103):.3g} ms, 99 % within "
        f"{_at(one, 2):.3g} ms, the slowest {one.spots[-1][1]:.3g} ms."
        for one in found
    )


def _at(one: StepDistribution, nines: float) -> float:
    """Return the latency at the first point with a number of nines."""
    return next((ms for at, ms in one.spots if at >= nines), one.spots[-1][1])

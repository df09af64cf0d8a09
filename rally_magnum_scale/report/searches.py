"""A search for the highest rate as a sentence, a table and a plot."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.in_bay.stats import trials
from rally_magnum_scale.report import drawing
from rally_magnum_scale.report import formatting
from rally_magnum_scale.report import grids

_HEAD = ("Step", "Offered", "Steady s", "Achieved")
_PURPOSES = {
    trials.ESTIMATE: "to estimate",
    trials.SEARCH: "",
    trials.CONFIRM: "to confirm",
}
_LIMITS = {
    trials.BY_BOUND: "a bound was exceeded",
    trials.BY_OFFER: "the offered rate was not reached",
    trials.BY_INVALID: "the measurement is invalid",
}


@dataclasses.dataclass(frozen=True)
class Curve:
    """The latency of each step by offered rate.

    :param name: the percentile that is drawn, such as ``p99``
    :param spots: offered rate and latency in ms, by offered rate
    :param bound_ms: value of the bound
    """

    name: str
    spots: tuple[tuple[float, float], ...]
    bound_ms: float

    @property
    def title(self) -> str:
        """Title of the plot."""
        return f"{self.name} of each step by offered rate"


def _percentile(key: str) -> str:
    """Return the percentile of a bound, such as ``p99.9``."""
    return key.removesuffix("_ms").replace("_", ".")


def sentence(found: records.MaxRate) -> str:
    """Return the result of a search, and how certain it is, in words."""
    parts = [_answer(found)]
    if found.failed_rps is not None and found.held_rps is not None:
        above = formatting.percent(found.failed_rps / found.held_rps - 1)
        limit = _LIMITS.get(found.failed_by, "it failed")
        parts.append(
            f"{formatting.number(found.failed_rps)} rps, {above} above, did "
            f"not hold: {limit} ({found.failed_because})"
        )
        if found.failed_by == trials.BY_INVALID:
            parts.append("the targets may serve more")
    count = "1 step" if found.steps == 1 else f"{found.steps} steps"
    parts.append(f"{count}; {found.ended}")
    if found.reasons and found.held_rps is not None:
        parts.append(f"it does not count: {'; '.join(found.reasons)}")
    return ". ".join(f"{one[0].upper()}{one[1:]}" for one in parts) + "."


def grid(found: records.MaxRate) -> grids.Grid:
    """Return a row for each step of a search."""
    heads = [
        "Errors" if key == trials.ERROR_BOUND else f"{_percentile(key)} ms"
        for key in found.bounds
    ]
    bounds = [
        f"errors at most {formatting.percent(value)}"
        if key == trials.ERROR_BOUND
        else f"{_percentile(key)} at most {formatting.number(value)} ms"
        for key, value in found.bounds.items()
    ]
    return grids.Grid(
        title="Search for the highest rate",
        caption=(
            "A row for each step; rates in requests per second. Bounds: "
            f"{', '.join(bounds)}."
        ),
        head=(*_HEAD, *heads, "Holds", "Why"),
        rows=tuple(_row(one, list(found.bounds)) for one in found.trials),
    )


def curve(found: records.MaxRate) -> Curve | None:
    """Return the curve for a plot of the search, or None if there is none.

    The curve shows the highest percentile that has a bound, because its
    bound is exceeded first.
    """
    bound = [key for key in trials.LATENCY_BOUNDS if key in found.bounds]
    for key in reversed(bound):
        spots = tuple(
            sorted(
                (one.rate_rps, value)
                for one in found.trials
                if one.rate_rps and (value := one.reached.get(key)) is not None
            )
        )
        if spots:
            return Curve(_percentile(key), spots, found.bounds[key])
    return None


def draw(found: records.MaxRate, identifier: str) -> str:
    """Return the curve of a search as SVG; empty if there is none."""
    shown = curve(found)
    if shown is None:
        return ""
    figure, axes = drawing.new()
    axes.plot(
        [rate for rate, _ in shown.spots],
        [ms for _, ms in shown.spots],
        color=drawing.COLOUR["violet"],
        marker="o",
        markersize=5,
        label=shown.name,
    )
    axes.axhline(
        shown.bound_ms,
        color=drawing.COLOUR["quiet"],
        linestyle="--",
        linewidth=2,
        label=f"bound, {shown.bound_ms:g} ms",
    )
    drawing.latency_scale(
        axes, [shown.bound_ms, *(ms for _, ms in shown.spots)]
    )
    high_rps = max(rate for rate, _ in shown.spots) * 1.03
    axes.set_xlim(0, high_rps)
    _shade(axes, found, high_rps)
    drawing.name_axes(axes, "offered, requests per second")
    drawing.thousands(axes.xaxis)
    drawing.legend(axes)
    return drawing.svg(
        figure, f"{identifier}-search", shown.title, sentence(found)
    )


def _shade(axes: Any, found: records.MaxRate, high_rps: float) -> None:
    """Shade the rates that hold, and those that do not."""
    if found.held_rps is not None:
        name = f"up to {found.held_rps:,.0f} rps: holds"
        drawing.shade(axes, 0, found.held_rps, "steady", name)
    if found.failed_rps is not None:
        name = f"from {found.failed_rps:,.0f} rps: does not hold"
        drawing.shade(
            axes, found.failed_rps, high_rps, "bad-back", name, hatched=True
        )


def _answer(found: records.MaxRate) -> str:
    if found.held_rps is None or found.max_rate_rps is None:
        why = "; ".join(found.reasons) or "no step held"
        return f"no highest rate was found: {why}"
    sure = (
        "a longer step confirmed it"
        if found.confirmed
        else "no longer step confirmed it"
    )
    known = found.failed_by in (trials.BY_BOUND, trials.BY_OFFER)
    return (
        f"{'highest rate' if known else 'highest rate at least'} "
        f"{formatting.number(found.max_rate_rps)} rps, "
        f"{formatting.number(found.rps_per_core_real_nodes)} for each core of "
        f"the real nodes and {formatting.number(found.rps_per_core)} for each "
        f"that the pods could use: {formatting.number(found.held_rps)} rps "
        f"offered held in step {found.step}, {sure}"
    )


def _row(trial: records.Trial, keys: Sequence[str]) -> tuple[str, ...]:
    offered = formatting.number(trial.rate_rps)
    return (
        str(trial.step),
        "closed" if trial.rate_rps is None else offered,
        str(trial.duration_s),
        formatting.number(trial.achieved_rps),
        *(_reached(key, trial.reached.get(key)) for key in keys),
        _holds(trial),
        "; ".join(filter(None, [_PURPOSES[trial.purpose], _why(trial)])),
    )


def _holds(trial: records.Trial) -> str:
    if trial.held is not None:
        return "yes" if trial.held else "no"
    return grids.NONE if trial.ended else "broke off"


def _why(trial: records.Trial) -> str:
    """Return what the numbers of the row do not show."""
    if trial.limit == trials.BY_INVALID or trial.rate_rps is None:
        return trial.why
    return _LIMITS.get(trial.limit, "")


def _reached(key: str, value: float | None) -> str:
    if key == trials.ERROR_BOUND:
        return formatting.ratio(value)
    return formatting.number(value)

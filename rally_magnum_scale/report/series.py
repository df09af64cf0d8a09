"""The data of the plots: windows, merged if there are too many.

Neighbouring windows are merged, never averaged: a rate is requests divided
by seconds, and a percentile is read from merged histograms.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.in_bay.stats import step_summary
from rally_magnum_scale.in_bay.stats import steps
from rally_magnum_scale.in_bay.stats import windows
from rally_magnum_scale.report import histogram_sum

MAX_POINTS = 1000


@dataclasses.dataclass(frozen=True)
class PlotPoint:
    """One window, or several consecutive windows of one phase and step.

    :param start_s: seconds since the first window
    :param seconds: number of windows
    :param step: number of the step, from 1
    :param offered_rps: None in a closed loop, or if unknown
    :param latency_us: ``p50``, ``p99``, ``p99_9`` and more; None if empty
    :param versions: responses by version of the target; empty if they were
        not counted by version
    """

    start_s: int
    seconds: int
    phase: str
    step: int
    offered_rps: float | None
    achieved_rps: float
    failed_rps: float
    latency_us: dict[str, int | None]
    versions: dict[str, int] = dataclasses.field(default_factory=dict)

    @property
    def end_s(self) -> int:
        """End of the point, exclusive."""
        return self.start_s + self.seconds

    @property
    def middle_s(self) -> float:
        """Position of the point in a plot."""
        return self.start_s + self.seconds / 2


@dataclasses.dataclass(frozen=True)
class PlotSpan:
    """A phase of a step, including gaps.

    :param start_s: seconds since the first window
    :param end_s: end, exclusive
    :param step: number of the step, from 1
    :param reasons: why the span does not count although it is steady
    """

    start_s: int
    end_s: int
    phase: str
    step: int
    reasons: tuple[str, ...] = ()

    @property
    def counted(self) -> bool:
        """Whether its requests are included in the results of its step."""
        return self.phase == steps.STEADY


@dataclasses.dataclass(frozen=True)
class Event:
    """An event during the load.

    :param at_s: seconds since the first window; None if unknown
    """

    at_s: float | None
    kind: str
    detail: str


@dataclasses.dataclass(frozen=True)
class Course:
    """The course of a load; all times are seconds since the first window.

    :param points: in order of time, for the plots
    :param spans: the phases of the steps, in order of time
    :param gaps: start and end, exclusive, of each interval in which windows
        are missing
    :param events: in order of time, those without a time last
    :param length_s: end of the last window
    """

    points: tuple[PlotPoint, ...]
    spans: tuple[PlotSpan, ...]
    gaps: tuple[tuple[int, int], ...]
    events: tuple[Event, ...]
    length_s: int


def read(run: records.Run, limit: int = MAX_POINTS) -> Course:
    """Return the course of a load.

    :param limit: intended number of points; each phase of each step and each
        gap may add one more
    """
    seen = sorted(run.windows, key=lambda one: one.second)
    origin = seen[0].second if seen else None
    events = [_event(one, origin) for one in run.events]
    events.sort(key=lambda one: (one.at_s is None, one.at_s or 0.0))
    if origin is None:
        return Course((), (), (), tuple(events), 0)
    return Course(
        points=tuple(_points(run, seen, math.ceil(len(seen) / limit))),
        spans=tuple(_spans(run, seen)),
        gaps=tuple(_gaps(run, seen)),
        events=tuple(events),
        length_s=seen[-1].second + 1 - origin,
    )


def _points(
    run: records.Run, seen: Sequence[windows.Window], group: int
) -> Iterator[PlotPoint]:
    """Merge groups of windows, but never across a phase or a gap."""
    offers = _offers(run, seen)
    for stretch in _stretches(seen):
        for at in range(0, len(stretch), group):
            yield _point(stretch[at : at + group], seen[0].second, offers)


def connected(found: Sequence[PlotPoint]) -> list[list[PlotPoint]]:
    """Split the points where seconds are missing between them."""
    parts: list[list[PlotPoint]] = []
    for point in found:
        last = parts[-1][-1] if parts else None
        if last and last.end_s == point.start_s:
            parts[-1].append(point)
        else:
            parts.append([point])
    return parts


def _spans(
    run: records.Run, seen: Sequence[windows.Window]
) -> Iterator[PlotSpan]:
    load = run.throughput
    reasons = {one.step: one.reasons for one in load.steps} if load else {}
    for (step, phase), group in itertools.groupby(seen, _phase_of):
        part = list(group)
        steady = phase == steps.STEADY
        yield PlotSpan(
            start_s=part[0].second - seen[0].second,
            end_s=part[-1].second + 1 - seen[0].second,
            phase=phase,
            step=step,
            reasons=tuple(reasons.get(step, ())) if steady else (),
        )


def _gaps(
    run: records.Run, seen: Sequence[windows.Window]
) -> Iterator[tuple[int, int]]:
    origin = seen[0].second
    for before, after in itertools.pairwise(seen):
        # Between the steps of a search there is no load.
        paused = run.max_rate is not None and after.step > before.step
        if after.second > before.second + 1 and not paused:
            yield before.second + 1 - origin, after.second - origin


def _event(record: Mapping[str, Any], origin: int | None) -> Event:
    second = record.get("second")
    dated = origin is not None and isinstance(second, int | float)
    return Event(
        at_s=second - origin if dated else None,  # type: ignore[operator]
        kind=str(record.get("kind", "event")),
        detail=str(record.get("detail", "")),
    )


def _phase_of(window: windows.Window) -> tuple[int, str]:
    return window.step, window.phase


def _stretches(
    seen: Sequence[windows.Window],
) -> Iterator[list[windows.Window]]:
    """Split where the phase changes and where seconds are missing."""

    def key(pair: tuple[int, windows.Window]) -> tuple[int, int, str]:
        index, window = pair
        return window.second - index, *_phase_of(window)

    for _, group in itertools.groupby(enumerate(seen), key):
        yield [window for _, window in group]


def _offers(
    run: records.Run, seen: Sequence[windows.Window]
) -> dict[int, float | None]:
    """Return the offered rate in each epoch second, as far as it is known.

    In a ramp, the offered rate changes linearly from the rate of the
    previous step to the rate of the step (see
    :mod:`rally_magnum_scale.in_bay.stats.steps`).  Each step of a search is a
    plan of its own, so its ramp begins at 0.
    """
    load = run.throughput
    rates = {one.step: one.offered_rps for one in load.steps} if load else {}
    offers: dict[int, float | None] = {}
    for (step, phase), group in itertools.groupby(seen, _phase_of):
        part = [one.second for one in group]
        rate = rates.get(step)
        if phase == steps.STOP or rate is None:
            offers.update(dict.fromkeys(part))
            continue
        last = 0.0 if run.max_rate else rates.get(step - 1) or 0.0
        before = rate if phase == steps.STEADY else last
        length = part[-1] + 1 - part[0]
        for second in part:
            share = (second + 0.5 - part[0]) / length
            offers[second] = before + (rate - before) * share
    return offers


def _point(
    part: Sequence[windows.Window],
    origin: int,
    offers: Mapping[int, float | None],
) -> PlotPoint:
    offered = [offers[one.second] for one in part]
    known = [rate for rate in offered if rate is not None]
    seconds = len(part)
    return PlotPoint(
        start_s=part[0].second - origin,
        seconds=seconds,
        phase=part[0].phase,
        step=part[0].step,
        offered_rps=sum(known) / seconds if len(known) == seconds else None,
        achieved_rps=sum(one.requests for one in part) / seconds,
        failed_rps=sum(one.failed for one in part) / seconds,
        latency_us=_percentiles(part),
        versions=windows.add_counts(one.versions for one in part),
    )


def _percentiles(part: Iterable[windows.Window]) -> dict[str, int | None]:
    latency = histogram_sum.HistogramSum(one.latency_us for one in part)
    names = step_summary.PERCENTILES
    found = latency.percentiles_us(names.values())
    return {**dict(zip(names, found, strict=True)), "max": latency.max_us}

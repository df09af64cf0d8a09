"""A run against its history: which metrics are compared, and in words."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from collections.abc import Sequence

from rally_magnum_scale.measurement import conditions as run_conditions
from rally_magnum_scale.measurement import metrics as run_metrics
from rally_magnum_scale.measurement import regression
from rally_magnum_scale.measurement import trend
from rally_magnum_scale.measurement import verdicts
from rally_magnum_scale.report import history

# One run that is worse may be an outlier; the next one tells.
CONFIRMED = 2
_PER_NODE = "s/node"
# What is told of one run beside another, where noise is not known yet.
UNPROVEN_RATIO = 0.1
_RULES = regression.Rules(last=CONFIRMED)


@dataclasses.dataclass(frozen=True)
class Ask:
    """What to compare, and with what.

    :param metrics: names of metrics, of their criteria, or of criterion
        and bound; empty for all
    :param across: conditions in which compared runs may differ
    :param rules: what counts as worse
    """

    metrics: tuple[str, ...] = ()
    across: tuple[str, ...] = ()
    rules: regression.Rules = _RULES

    def wants(self, metric: str) -> bool:
        """Tell whether a metric is asked for."""
        criterion_and_bound = metric.partition(" ")[0]
        criterion = metric.partition(".")[0]
        names = {metric, criterion_and_bound, criterion}
        return not self.metrics or bool(names & set(self.metrics))


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What came of it.

    :param outcome: of the metrics
    :param suspected: worse, but in fewer runs than the rules ask for
    :param runs: how many comparable runs were before
    :param uncounted: why metrics of the run do not count
    :param missing: asked for, but not measured in the run
    :param no_baseline: the run to compare with, if no comparable one is it
    :param run: that was compared, where it is one of the history
    """

    outcome: regression.Outcome
    suspected: tuple[regression.Comparison, ...] = ()
    runs: int = 0
    uncounted: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    no_baseline: str = ""
    run: history.Run | None = None

    @property
    def holds(self) -> bool:
        """Whether nothing is known to be worse, or asked for in vain."""
        vain = self.missing or self.no_baseline
        return not self.outcome.worse and not vain

    def sentences(self) -> list[str]:
        """Say what is worse first, then what could not be told."""
        outcome = self.outcome
        said = [f"worse: {one.describe()}" for one in outcome.worse]
        said += [
            f"suspected, till the next run confirms it: {one.describe()}"
            for one in self.suspected
        ]
        said += [f"{name} was not measured" for name in self.missing]
        if self.no_baseline:
            said.append(
                f"the history has no comparable run {self.no_baseline} to be "
                "the baseline"
            )
        if outcome.compared and not outcome.worse:
            said.append(
                f"none of {_metrics(outcome.compared)} is known to be worse "
                f"than before, in {self.runs} comparable runs"
            )
        if outcome.too_few:
            said.append(
                f"{_metrics(outcome.too_few)} not compared: "
                f"{outcome.too_few[0].reason}"
            )
        if self.uncounted:
            said.append(
                f"{_metrics(self.uncounted)} not counted: {self.uncounted[0]}"
            )
        return said or ["nothing was measured that could be compared"]


def _metrics(every: Sequence[object]) -> str:
    return "1 metric" if len(every) == 1 else f"{len(every)} metrics"


def compare(
    runs: Iterable[history.Run],
    conditions: run_conditions.Conditions,
    measured: Sequence[run_metrics.Metric],
    newest: trend.Point,
    ask: Ask,
) -> Comparison:
    """Compare what a run measured with the comparable runs before it.

    :param runs: the history; the run itself may be in it
    :param newest: id and time of the run; its value is not read
    """
    before = _before(runs, conditions, newest, ask)
    known = history.trends(before)
    wanted = _wanted(measured, ask)
    series = [
        _with(known.get(one.name), one, newest)
        for one in wanted
        if not one.reason
    ]
    outcome = regression.compare(series, ask.rules)
    alone = dataclasses.replace(ask.rules, last=1)
    named = ask.rules.baseline
    known_worse = {one.metric for one in outcome.worse}
    return Comparison(
        outcome=outcome,
        suspected=tuple(
            one
            for one in regression.compare(series, alone).worse
            if one.metric not in known_worse
        ),
        runs=max((len(one.points) - 1 for one in series), default=0),
        uncounted=tuple(one.reason for one in wanted if one.reason),
        missing=tuple(
            name
            for name in ask.metrics
            if not any(Ask((name,)).wants(one.name) for one in measured)
        ),
        no_baseline=(
            ""
            if named in {regression.MEDIAN, *(one.id for one in before)}
            else named
        ),
    )


def compare_newest(
    group: Sequence[history.Run], ask: Ask
) -> Comparison | None:
    """Compare the newest run of a group that did not break.

    :param group: comparable runs
    :returns: with the run that was compared, which need not be the newest;
        None when all broke
    """
    whole = [one for one in group if one.state != history.BROKEN]
    if not whole:
        return None
    return compare_run(max(whole, key=lambda one: one.at_s), group, ask)


def compare_run(
    run: history.Run, runs: Iterable[history.Run], ask: Ask
) -> Comparison:
    """Compare a run of the history with the comparable ones before it.

    :param runs: the history; the run itself may be in it
    """
    found = compare(runs, run.conditions, run.metrics, _point(run), ask)
    return dataclasses.replace(found, run=run)


def _wanted(
    measured: Iterable[run_metrics.Metric], ask: Ask
) -> list[run_metrics.Metric]:
    """Return what is asked for; without being asked no time twice.

    Comparable runs have as many nodes, so a time for each says the same as
    the whole time, of which it is known how closely it is measured.
    """
    return [
        one
        for one in measured
        if ask.wants(one.name) and (ask.metrics or one.unit != _PER_NODE)
    ]


def _point(run: history.Run) -> trend.Point:
    """Return id and time of a run, as a point without a value."""
    return trend.Point(run.id, run.at_s, 0.0)


def _before(
    runs: Iterable[history.Run],
    conditions: run_conditions.Conditions,
    newest: trend.Point,
    ask: Ask,
) -> list[history.Run]:
    return [
        one
        for one in history.comparable(runs, conditions, ask.across)
        if one.at_s <= newest.at_s and one.id != newest.run
    ]


def _with(
    known: trend.Trend | None, metric: run_metrics.Metric, newest: trend.Point
) -> trend.Trend:
    point = dataclasses.replace(newest, value=metric.value)
    return trend.Trend(
        metric.name,
        metric.unit,
        metric.at_least,
        (*(known.points if known else ()), point),
    )


def beside_last(
    run: history.Run, runs: Iterable[history.Run], ask: Ask
) -> list[str]:
    """Say what is worse than in the last comparable run, without proof.

    For histories that are too short for more: noise is not known.

    :param runs: the history; the run itself may be in it
    :returns: the largest change first; empty without a run to compare with
    """
    before = [
        one
        for one in _before(runs, run.conditions, _point(run), ask)
        if one.state != history.BROKEN
    ]
    if not before:
        return []
    known = history.trends(before[-1:])
    found = []
    for one in _wanted(run.metrics, ask):
        old = known.get(one.name)
        if one.reason or not old:
            continue
        value = old.points[-1].value
        ratio = regression.change_ratio(old, one.value, value)
        if ratio >= max(UNPROVEN_RATIO, ask.rules.min_change_ratio):
            found.append((ratio, one, value))
    return [
        f"{one.name}: {regression.say_change(ratio)}, "
        f"{verdicts.format_value(one.value, one.unit)} after "
        f"{verdicts.format_value(value, one.unit)}"
        for ratio, one, value in sorted(found, key=lambda each: -each[0])
    ]

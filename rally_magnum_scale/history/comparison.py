"""Compare a run with its history, and describe the result in words."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from collections.abc import Sequence

from rally_magnum_scale.history import storage
from rally_magnum_scale.measurement import conditions as run_conditions
from rally_magnum_scale.measurement import metrics as run_metrics
from rally_magnum_scale.measurement import regression
from rally_magnum_scale.measurement import trend
from rally_magnum_scale.measurement import verdicts

# A single worse run may be an outlier; the next run confirms or refutes it.
CONFIRMED = 2
_PER_NODE = "s/node"
# Smallest change to report between two runs, when the noise is unknown.
UNPROVEN_RATIO = 0.1
_RULES = regression.Rules(last=CONFIRMED)


# The states of a comparison.
WORSE = "worse"
NOT_COMPARED = "not compared"
LEARNING = "learning"
NOT_WORSE = "not worse"


@dataclasses.dataclass(frozen=True)
class Ask:
    """Settings of a comparison.

    :param metrics: names of metrics, of criteria, or of criterion and
        bound; empty for all metrics
    :param across: conditions in which compared runs may differ
    :param rules: the rules for what counts as worse
    :param learning_passes: whether the comparison passes if there are too
        few runs to compare with
    """

    metrics: tuple[str, ...] = ()
    across: tuple[str, ...] = ()
    rules: regression.Rules = _RULES
    learning_passes: bool = True

    def wants(self, metric: str, unit: str) -> bool:
        """Return whether a metric is compared.

        By default, times per node are not: comparable runs have the same
        number of nodes, so the total time contains the same information.
        """
        if not self.metrics:
            return unit != _PER_NODE
        return any(is_named(metric, name) for name in self.metrics)

    def without(self, metrics: Sequence[str]) -> tuple[str, ...]:
        """Return the selected names that none of the metrics has."""
        return tuple(
            name
            for name in self.metrics
            if not any(is_named(one, name) for one in metrics)
        )


def is_named(metric: str, name: str) -> bool:
    """Return whether a name is that of a metric, its bound or criterion."""
    return name in {metric, metric.split(" ")[0], metric.split(".")[0]}


@dataclasses.dataclass(frozen=True)
class RunComparison:
    """The result of a comparison.

    :param ask: the settings
    :param outcome: the result for the metrics
    :param suspected: metrics that are worse, but in fewer runs than the
        rules require
    :param runs: number of previous comparable runs
    :param uncounted: why metrics of the run do not count
    :param vanished: metrics that previous runs measured, but this run did
        not
    :param missing: metrics that are selected, but were not measured
    :param no_baseline: id of the configured baseline, if no comparable run
        has it
    :param run: the compared run, if it is in the history
    :param newest: why the newest run of the history is not compared
    """

    ask: Ask
    outcome: regression.RegressionResult
    suspected: tuple[regression.MetricComparison, ...] = ()
    runs: int = 0
    uncounted: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    no_baseline: str = ""
    run: storage.StoredRun | None = None
    newest: str = ""

    @property
    def state(self) -> str:
        """The state: worse, or otherwise the least certain result.

        A metric that was not measured, or does not count, may be worse.
        """
        if self.outcome.worse:
            return WORSE
        gaps = (*self.uncounted, *self.vanished, *self.missing)
        if gaps or self.no_baseline or self.newest:
            return NOT_COMPARED
        known = [one.metric for one in self.outcome.compared]
        if self._has_all(known):
            return NOT_WORSE
        known += [one.metric for one in self.outcome.too_few]
        return LEARNING if self._has_all(known) else NOT_COMPARED

    @property
    def holds(self) -> bool:
        """Whether the comparison passes.

        It passes if no metric is worse or missing.  While there are too few
        runs, it passes only with ``learning_passes``.
        """
        learning = self.state == LEARNING and self.ask.learning_passes
        return self.state == NOT_WORSE or learning

    def _has_all(self, metrics: Sequence[str]) -> bool:
        """Return whether there is a metric, and one for each selected name."""
        return bool(metrics) and not self.ask.without(metrics)

    def sentences(self) -> list[str]:
        """Describe the result: first what is worse, then what is unknown."""
        outcome = self.outcome
        said = [f"worse: {one.describe()}" for one in outcome.worse]
        said += [
            f"suspected, until the next run confirms it: {one.describe()}"
            for one in self.suspected
        ]
        said += [*self.learning(), *self.gaps()]
        if outcome.compared and not outcome.worse:
            said.append(
                f"none of {_metrics(outcome.compared)} is known to be worse "
                f"than before, in {self.runs} comparable runs"
            )
        if outcome.too_few:
            few = outcome.too_few[0]
            said.append(
                f"{_metrics(outcome.too_few)} not compared: {few.runs} runs "
                f"to compare with, but {few.needed} are needed"
            )
        return said or ["nothing was measured that could be compared"]

    def learning(self) -> list[str]:
        """Return the number of runs, as long as there are too few."""
        if self.state != LEARNING:
            return []
        most = max(self.outcome.too_few, key=lambda one: one.runs)
        return [f"learning ({most.runs} of {most.needed} runs)"]

    def gaps(self) -> list[str]:
        """Describe the comparisons that were not possible."""
        said = [self.newest] if self.newest else []
        said += [f"{name} was not measured" for name in self.missing]
        if self.vanished:
            said.append(
                "not measured this time, but in previous runs: "
                + _names(self.vanished)
            )
        if self.uncounted:
            said.append(
                f"{_metrics(self.uncounted)} not counted: {self.uncounted[0]}"
            )
        if self.no_baseline:
            said.append(
                "the history has no comparable and valid run "
                f"{self.no_baseline} to be the baseline"
            )
        elif self.outcome.no_baseline:
            said.append(
                f"{_metrics(self.outcome.no_baseline)} not compared: the run "
                f"{self.ask.rules.baseline} did not measure them"
            )
        return said


def _names(every: Sequence[str]) -> str:
    first, *others = every
    return f"{first} and {len(others)} more" if others else first


def _metrics(every: Sequence[object]) -> str:
    return "1 metric" if len(every) == 1 else f"{len(every)} metrics"


def compare(
    runs: Iterable[storage.StoredRun],
    conditions: run_conditions.Conditions,
    measured: Sequence[run_metrics.Metric],
    newest: trend.Point,
    ask: Ask,
) -> RunComparison:
    """Compare the metrics of a run with previous comparable runs.

    :param runs: the history; the run itself may be in it
    :param newest: id and time of the run; its value is not read
    """
    before = _before(runs, conditions, newest, ask)
    known = storage.trends(before)
    wanted = [one for one in measured if ask.wants(one.name, one.unit)]
    series = [
        one.extend(known.get(one.name), newest.run, newest.at_s)
        for one in wanted
        if not one.reason
    ]
    outcome = regression.compare(series, ask.rules)
    worse = {one.metric for one in outcome.worse}
    alone = regression.compare(series, dataclasses.replace(ask.rules, last=1))
    baseline = ask.rules.baseline
    ids = {regression.MEDIAN, *(one.id for one in before)}
    return RunComparison(
        ask,
        outcome=outcome,
        suspected=tuple(one for one in alone.worse if one.metric not in worse),
        runs=max((len(one.points) - 1 for one in series), default=0),
        uncounted=tuple(one.reason for one in wanted if one.reason),
        vanished=_vanished(before, measured, ask),
        missing=ask.without([one.name for one in measured]),
        no_baseline="" if baseline in ids else baseline,
    )


def compare_newest(
    group: Sequence[storage.StoredRun], ask: Ask
) -> RunComparison:
    """Compare the newest valid run of a group.

    :param group: comparable runs, at least one
    :returns: the comparison, with the compared run, which need not be the
        newest; without a run if none is valid
    """
    newest = max(group, key=lambda one: one.at_s)
    counting = [one for one in group if one.counts]
    if not counting:
        none = regression.RegressionResult()
        return RunComparison(ask, none, newest=_say_newest(newest))
    compared = max(counting, key=lambda one: one.at_s)
    found = compare_run(compared, group, ask)
    if compared.id == newest.id:
        return found
    return dataclasses.replace(found, newest=_say_newest(newest))


def _say_newest(run: storage.StoredRun) -> str:
    what = "broke" if run.state == storage.BROKEN else "is invalid"
    return f"the newest run, {run.id}, {what}, so it is not compared"


def compare_run(
    run: storage.StoredRun, runs: Iterable[storage.StoredRun], ask: Ask
) -> RunComparison:
    """Compare a run of the history with previous comparable runs.

    :param runs: the history; the run itself may be in it
    """
    found = compare(runs, run.conditions, run.metrics, _point(run), ask)
    return dataclasses.replace(found, run=run)


def _vanished(
    before: Sequence[storage.StoredRun],
    measured: Iterable[run_metrics.Metric],
    ask: Ask,
) -> tuple[str, ...]:
    """Return the metrics that would be compared if they had been measured.

    While there are too few runs, these are the metrics that all runs
    measured.  Only the last 50 runs are considered.
    """
    recent = before[-regression.MOST_RUNS :]
    needed = min(len(recent), ask.rules.min_runs)
    names = {one.name for one in measured}
    return tuple(
        one.metric
        for one in storage.trends(recent).values()
        if ask.wants(one.metric, one.unit)
        and len(one.points) >= needed
        and one.metric not in names
    )


def _point(run: storage.StoredRun) -> trend.Point:
    """Return id and time of a run, as a point without a value."""
    return trend.Point(run.id, run.at_s, 0.0)


def _before(
    runs: Iterable[storage.StoredRun],
    conditions: run_conditions.Conditions,
    newest: trend.Point,
    ask: Ask,
) -> list[storage.StoredRun]:
    return [
        one
        for one in storage.comparable(runs, conditions, ask.across)
        if one.counts and one.at_s <= newest.at_s and one.id != newest.run
    ]


def beside_last(
    run: storage.StoredRun, runs: Iterable[storage.StoredRun], ask: Ask
) -> list[str]:
    """Describe metrics that are worse than in the last comparable run.

    This is for short histories, in which the noise is unknown, so it proves
    nothing.

    :param runs: the history; the run itself may be in it
    :returns: the largest change first; empty without a run to compare with
    """
    before = _before(runs, run.conditions, _point(run), ask)
    if not before:
        return []
    known = storage.trends(before[-1:])
    found = []
    for one in run.metrics:
        old = known.get(one.name)
        if one.reason or not old or not ask.wants(one.name, one.unit):
            continue
        value = old.points[-1].value
        ratio = regression.change_ratio(old, one.value, value)
        if ratio >= max(UNPROVEN_RATIO, ask.rules.min_change_ratio):
            found.append((ratio, one, value))
    return [
        f"{one.name}: {regression.describe_change(ratio)}, "
        f"{verdicts.format_value(one.value, one.unit)} after "
        f"{verdicts.format_value(value, one.unit)}"
        for ratio, one, value in sorted(found, key=lambda each: -each[0])
    ]

"""The search for the highest rate at which all bounds hold.

The next step is a pure function of the steps that were run.  So the Locust
master can choose it in the bay, and no order has to travel there.  It runs all
steps with the same workers, so that only seconds pass between two steps.

How the next rate is chosen:

* A step that achieves less than its offered rate shows roughly the capacity of
  the target, and so does a closed loop.  This hint proves nothing, because
  only an open loop shows that a rate holds or fails.  But the highest rate is
  probably close to it: the search tries just below, then just above, then
  further below, at twice the distance each time.
* Without a hint, the rate is doubled until one fails, or quartered until one
  holds.
* Then the bracket is halved, by ratio, until it is narrow enough.
* The highest rate that held is offered again, for longer.  If it does not
  hold, the next lower rate is confirmed in the same way.

A step whose values do not count says nothing about the target.  It is
repeated, because a machine may stand still once.  But there are only a few
repeats in all, because a generator at its limit stays there.  If no rate has
held yet and the values at a far lower rate do not count either, the search
ends, because lower rates would not help.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence

from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.in_bay.stats import step_summary
from rally_magnum_scale.in_bay.stats import steps
from rally_magnum_scale.in_bay.stats import trials
from rally_magnum_scale.in_bay.stats import windows

GROWTH = 2.0
# Rates near a hint: shares below it, and the least factor above it.  If the
# first one below holds and the one above fails, the bracket is narrow at once.
BELOW_HINT = (0.04, 0.08, 0.16, 0.32)
ABOVE_HINT = 1.005
SHRINK = 4.0
LOWEST_SHARE = 0.01
# Largest number of repeats of one step, and of all steps together.
REPEATS = 2
MAX_REPEATS = 3
# From this many steps on, two steps are kept to confirm.
MANY_STEPS = 6
# Below this share of achieved to offered rate, a repeat is useless.
HOPELESS_RATIO = 0.8
DIGITS = 4
# Rates that differ by no more than this factor are equal after rounding.
SAME_RATIO = 1.001


def next_trial(
    wanted: trials.Search, done: Sequence[records.Trial]
) -> records.Trial | None:
    """Return the next step; None if the search is over.

    :param wanted: the settings of the search
    :param done: all judged steps so far
    """
    if len(done) >= wanted.max_steps:
        return None
    found = Bracket.of(wanted, done).next_rate() if done else _first(wanted)
    return trials.order(wanted, len(done) + 1, *found) if found else None


def first_plan(wanted: trials.Search) -> steps.Plan:
    """Return the first step of a search, as a plan."""
    return plan(trials.order(wanted, 1, *_first(wanted)))


def plan(trial: records.Trial) -> steps.Plan:
    """Return a plan of one step, which has the number 1 in it."""
    return steps.Plan((trials.plan(trial),))


def judge(
    wanted: trials.Search,
    trial: records.Trial,
    seen: Sequence[windows.Window],
    due: list[int | None],
    workers: int,
) -> records.Trial:
    """Judge a step that has ended by its windows.

    :param wanted: the settings of the search
    :param trial: the step
    :param seen: all windows, with the step numbers of :func:`plan`
    :param due: number of requests that were due in the step
    :param workers: number of workers
    """
    whole = records.End(
        windows=len(seen),
        requests=sum(one.requests for one in seen),
        failures={},
        due=due,
        workers_expected=workers,
        workers_connected=workers,
    )
    (result,) = step_summary.summarise(
        plan(trial), seen, whole, cores_pods=None, cores_real_nodes=None
    )
    return trials.judge(wanted, trial, result)


@dataclasses.dataclass(frozen=True)
class Bracket:
    """The range in which the highest rate lies, from the steps so far.

    :param wanted: the settings of the search
    :param done: all judged steps, at least one for a next rate
    :param held: the highest step that held, below all that failed; the
        confirming one if there is one
    :param failed: the lowest step that failed
    :param hint_rps: the estimated capacity of the target; None if unknown
    :param confirms_failed: number of confirming steps that did not hold
    """

    wanted: trials.Search
    done: Sequence[records.Trial]
    held: records.Trial | None
    failed: records.Trial | None
    hint_rps: float | None
    confirms_failed: int

    @classmethod
    def of(
        cls, wanted: trials.Search, done: Sequence[records.Trial]
    ) -> Bracket:
        """Return the bracket of some steps."""
        counting = [one for one in _believed(done) if one.rate_rps is not None]
        bad = [one for one in counting if not one.held]
        # Of two steps at the same rate the later one counts: it was longer.
        failed = min(bad, key=_by_rate, default=None)
        good = [
            one
            for one in counting
            if one.held and (failed is None or _rps(one) < _rps(failed))
        ]
        held = max(
            good,
            key=lambda one: (_rps(one), one.purpose == trials.CONFIRM),
            default=None,
        )
        return cls(
            wanted=wanted,
            done=done,
            held=held,
            failed=failed,
            hint_rps=_hint_rps(done),
            confirms_failed=sum(one.purpose == trials.CONFIRM for one in bad),
        )

    @property
    def held_rps(self) -> float | None:
        """The highest rate that held."""
        return self.held.rate_rps if self.held else None

    @property
    def failed_rps(self) -> float | None:
        """The lowest rate that failed."""
        return self.failed.rate_rps if self.failed else None

    @property
    def confirmed(self) -> bool:
        """Whether the highest rate that held was confirmed."""
        return bool(self.held and self.held.purpose == trials.CONFIRM)

    @property
    def is_closed(self) -> bool:
        """Whether the bracket is narrow enough."""
        held_rps, failed_rps = self.held_rps, self.failed_rps
        if held_rps is None:
            return False
        if failed_rps is not None:
            width = failed_rps / held_rps - 1
            return width <= self.wanted.precision * SAME_RATIO
        return self.wanted.max_rps is not None and (
            held_rps >= self.wanted.max_rps
        )

    def next_rate(self) -> tuple[float | None, str] | None:
        """Return the next rate and its purpose; None if the search is over."""
        if _is_doubtful(self.done):
            return self.done[-1].rate_rps, self.done[-1].purpose
        if self.confirms_failed:
            return self._lower_confirmation()
        if self.held_rps is None:
            return self._lower_rate()
        if self.is_closed or _must_confirm(self.wanted, self.done):
            return None if self.confirmed else (self.held_rps, trials.CONFIRM)
        return self._clip(self._rate_above(self.held_rps)), trials.SEARCH

    def _lower_rate(self) -> tuple[float, str] | None:
        """Return a lower rate, while no rate has held yet."""
        hint_rps, failed_rps = self.hint_rps, self.failed_rps
        if failed_rps is None:
            if not hint_rps:
                return None
            return self._clip(hint_rps * (1 - BELOW_HINT[0])), trials.SEARCH
        lowest_rps = self._lowest_rps
        is_lowest = failed_rps <= lowest_rps * SAME_RATIO
        if is_lowest or _is_generator_unfit(self.done):
            return None
        rate_rps = self._below_hint(failed_rps / SHRINK)
        return max(_round(rate_rps), lowest_rps), trials.SEARCH

    def _lower_confirmation(self) -> tuple[float, str] | None:
        """Confirm a rate below the unconfirmed one, further each time."""
        failed_rps, lowest_rps = self.failed_rps, self._lowest_rps
        if (
            self.confirmed
            or failed_rps is None
            or (failed_rps <= lowest_rps * SAME_RATIO)
        ):
            return None
        below = 1 + self.wanted.precision * 2 ** (self.confirms_failed - 1)
        least_rps = self.held_rps or lowest_rps
        return max(_round(failed_rps / below), least_rps), trials.CONFIRM

    @property
    def _lowest_rps(self) -> float:
        return self.wanted.min_rps or LOWEST_SHARE * max(map(_rps, self.done))

    def _rate_above(self, held_rps: float) -> float:
        """Return a rate above the held one, and below any failed one."""
        hint_rps, failed_rps = self.hint_rps, self.failed_rps
        if hint_rps is None:
            if failed_rps is None:
                return held_rps * GROWTH
            return math.sqrt(held_rps * failed_rps)
        above_rps = hint_rps * max(
            ABOVE_HINT, (1 - BELOW_HINT[0]) * (1 + self.wanted.precision)
        )
        if failed_rps is None:
            near = held_rps * (1 + self.wanted.precision / 2) < above_rps
            return above_rps if near else held_rps * GROWTH
        middle_rps = math.sqrt(held_rps * failed_rps)
        if held_rps * SAME_RATIO >= hint_rps * (1 - BELOW_HINT[0]):
            margin = max(SAME_RATIO, 1 + self.wanted.precision / 4)
            fits = held_rps * margin < above_rps < failed_rps / margin
            return above_rps if fits else middle_rps
        lower_rps = self._below_hint(middle_rps)
        # With a wide precision, the first rate that is far enough below the
        # failed one may be below the held one.
        if hint_rps < failed_rps and lower_rps > held_rps * SAME_RATIO:
            return lower_rps
        return max(middle_rps, lower_rps)

    def _below_hint(self, otherwise_rps: float) -> float:
        """Return the first rate below the hint that is below the failed one.

        :param otherwise_rps: the result if there is no such rate
        """
        failed_rps, hint_rps = self.failed_rps, self.hint_rps
        if failed_rps is None or hint_rps is None:
            return otherwise_rps
        for share in BELOW_HINT:
            rate_rps = hint_rps * (1 - share)
            if rate_rps * (1 + self.wanted.precision / 2) < failed_rps:
                return rate_rps
        return otherwise_rps

    def _clip(self, rate_rps: float) -> float:
        rounded_rps = _round(rate_rps)
        if self.wanted.min_rps is not None:
            rounded_rps = max(rounded_rps, self.wanted.min_rps)
        if self.wanted.max_rps is not None:
            rounded_rps = min(rounded_rps, self.wanted.max_rps)
        return rounded_rps


def conclude(
    wanted: trials.Search,
    done: Sequence[records.Trial],
    results: Sequence[records.StepResult],
) -> records.MaxRate:
    """Sum up a search.

    :param wanted: the settings of the search
    :param done: all its judged steps; the last one may have no verdict, if
        the run broke off
    :param results: the results of the steps; if the best one is invalid, so
        is the highest rate
    """
    judged = [one for one in done if one.ended]
    bracket = Bracket.of(wanted, judged)
    held, failed = bracket.held, bracket.failed
    by_step = {one.step: one for one in results}
    best = by_step.get(held.step) if held else None
    if best and held and best.achieved_rps > _rps(held):
        # Random (Poisson) arrivals may be more than the rate.
        best = _scale_rates(best, _rps(held) / best.achieved_rps)
    return records.MaxRate(
        bounds=dict(wanted.bounds),
        precision=wanted.precision,
        max_rate_rps=best.achieved_rps if best else None,
        held_rps=bracket.held_rps,
        failed_rps=bracket.failed_rps,
        failed_by=failed.limit if failed else "",
        failed_because=failed.why if failed else "",
        confirmed=bracket.confirmed,
        step=held.step if held else None,
        steps=len(done),
        rps_per_core=best.rps_per_core if best else None,
        rps_per_core_real_nodes=(
            best.rps_per_core_real_nodes if best else None
        ),
        ended=_ended(bracket, done),
        trials=list(done),
        reasons=_reasons(bracket, best),
    )


def _scale_rates(
    result: records.StepResult, share: float
) -> records.StepResult:
    """Multiply the rates of a step by a share."""

    def scaled(rate: float | None) -> float | None:
        return None if rate is None else rate * share

    return dataclasses.replace(
        result,
        achieved_rps=result.achieved_rps * share,
        rps_per_core=scaled(result.rps_per_core),
        rps_per_core_real_nodes=scaled(result.rps_per_core_real_nodes),
    )


def _reasons(bracket: Bracket, best: records.StepResult | None) -> list[str]:
    """Return why there is no highest rate, or why it may not be judged."""
    if bracket.held is None:
        if bracket.failed is None:
            return ["no step of the search came to its end"]
        return [
            f"not even {trials.format_rate(bracket.failed)} held: "
            f"{bracket.failed.why}"
        ]
    if best is None:
        return [f"the result of step {bracket.held.step} is missing"]
    found = list(best.reasons)
    if not bracket.confirmed:
        found.append(
            f"{trials.format_rate(bracket.held)} held once, but no longer "
            "step confirmed it"
        )
    return found


def _ended(bracket: Bracket, done: Sequence[records.Trial]) -> str:
    """Return why the search ended, in words.

    :param done: the steps of the bracket, and the one that broke off, if any
    """
    wanted = bracket.wanted
    if any(not one.ended for one in done):
        return "the run broke off"
    if bracket.confirmed and bracket.is_closed:
        if bracket.failed is None:
            return "max_rps holds, so the true rate may be higher"
        return "the wanted precision was reached"
    if len(done) >= wanted.max_steps or (
        bracket.confirmed
        and not bracket.confirms_failed
        and _must_confirm(wanted, done[:-1])
    ):
        return f"all {wanted.max_steps} steps (max_steps) were used"
    if bracket.held is None and _is_generator_unfit(done):
        return "the load generator was the limit at every rate"
    if bracket.held is None:
        return "the lowest rate does not hold"
    if bracket.confirmed:
        return "a lower rate was confirmed after a higher one was not"
    return "the run broke off"


def _must_confirm(
    wanted: trials.Search, done: Sequence[records.Trial]
) -> bool:
    """Tell whether the remaining steps are needed to confirm a rate.

    A long search keeps two steps, because the first may not hold.
    """
    kept = 2 if wanted.max_steps >= MANY_STEPS else 1
    return len(done) >= wanted.max_steps - kept


def _first(wanted: trials.Search) -> tuple[float | None, str]:
    if wanted.start_rps is None:
        return None, trials.ESTIMATE
    return wanted.start_rps, trials.SEARCH


def _is_generator_unfit(done: Sequence[records.Trial]) -> bool:
    """Tell whether the values at two different rates did not count."""
    unfit = {
        one.rate_rps
        for one in _believed(done)
        if one.limit == trials.BY_INVALID
    }
    return len(unfit) > 1


def _hint_rps(done: Sequence[records.Trial]) -> float | None:
    """Return the rate that was achieved under overload, if any."""
    overloaded = [
        one
        for one in done
        if one.achieved_rps
        and one.limit in (trials.BY_OFFER, trials.BY_INVALID)
        and one.achieved_rps < trials.REACHED_RATIO * _rps(one)
    ]
    if overloaded:
        return min(overloaded, key=_by_rate).achieved_rps
    closed = (one.achieved_rps for one in done if one.rate_rps is None)
    return next(closed, None)


def _believed(done: Sequence[records.Trial]) -> list[records.Trial]:
    """Leave out invalid steps that were repeated."""
    again = _repeated(done)
    return [one for one in done if one.step not in again]


def _repeated(done: Sequence[records.Trial]) -> set[int]:
    """Return the numbers of the invalid steps that were repeated."""
    return {
        one.step
        for one, after in itertools.pairwise(done)
        if one.limit == trials.BY_INVALID and after.rate_rps == one.rate_rps
    }


def _is_doubtful(done: Sequence[records.Trial]) -> bool:
    """Tell whether the last step must be repeated."""
    last, again = done[-1], _repeated(done)
    if last.limit != trials.BY_INVALID or len(again) >= MAX_REPEATS:
        return False
    if not last.achieved_rps:
        return False
    if last.achieved_rps < HOPELESS_RATIO * _rps(last):
        return False
    same = [
        one
        for one in done
        if one.step in again and one.rate_rps == last.rate_rps
    ]
    return len(same) < REPEATS


def _round(rate_rps: float) -> float:
    return float(f"{rate_rps:.{DIGITS}g}")


def _by_rate(trial: records.Trial) -> tuple[float, int]:
    return _rps(trial), -trial.step


def _rps(trial: records.Trial) -> float:
    return trial.rate_rps or 0.0

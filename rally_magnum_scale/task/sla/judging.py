"""The base class of our SLA criteria, which fail closed.

Rally passes iterations to criteria in a thread that an exception would end.
All later iterations would be lost, and the stored result might pass.  So our
criteria raise nothing, and fail if anything goes wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any
from typing import Self

from rally.task import sla

from rally_magnum_scale.measurement import conditions
from rally_magnum_scale.task import output

# More errors or letters would only repeat what is wrong.
_MAX_ERRORS = 3
_MAX_LETTERS = 300


class Criterion(sla.SLA):
    """A criterion that fails on errors and on lost iterations.

    The number of planned iterations comes from the records, because Rally
    does not pass the runner's configuration to criteria.
    """

    def __init__(self, criterion_value: Any) -> None:
        super().__init__(criterion_value)
        self.success = False
        self._judged = 0
        # 0 if no record has the number.
        self._planned = 0
        self._errors: set[str] = set()

    def judge(self, iteration: Mapping[str, Any]) -> bool:
        """Judge one iteration.

        :returns: whether the criterion holds so far
        """
        raise NotImplementedError

    def join(self, other: Self) -> bool:
        """Add what another process has judged.

        :returns: whether the criterion holds so far
        """
        raise NotImplementedError

    def conclude(self) -> None:
        """Judge what needs all iterations."""

    def describe(self) -> str:
        """Describe the result, with its status."""
        raise NotImplementedError

    def add_iteration(self, iteration: Mapping[str, Any]) -> bool:
        """Judge one iteration, as Rally's base class describes."""

        def judge() -> bool:
            if planned := output.planned_iterations(iteration):
                self._planned = max(self._planned, planned)
            return self.judge(iteration)

        self._judged += 1
        return self._holds(judge)

    def merge(self, other: Self) -> bool:
        """Add another process, as Rally's base class describes."""

        def join() -> bool:
            self._judged += other._judged
            self._planned = max(self._planned, other._planned)
            self._errors |= other._errors
            return self.join(other)

        return self._holds(join)

    def details(self) -> str:
        """Describe the result, or what went wrong."""
        if not self._failures():
            try:
                return self.describe()
            except Exception as error:
                self._note(error)
        return f"{'; '.join(self._failures())} - Failed"

    def result(self) -> dict[str, Any]:
        """Return the result, as Rally stores it."""
        try:
            self.conclude()
            found = dict(super().result())
        except Exception as error:
            self._note(error)
            found = {"criterion": self.get_name()}
        if self._failures():
            found |= {"success": False, "detail": self.details()}
        return found

    def _holds(self, judge: Callable[[], bool]) -> bool:
        try:
            held = judge()
        except Exception as error:
            self._note(error)
            return False
        return held and not self._errors

    def _note(self, error: Exception) -> None:
        text = f"{type(error).__name__}: {error}"[:_MAX_LETTERS]
        self._errors.add(f"it could not be judged: {text}".rstrip(" .:"))

    def _failures(self) -> list[str]:
        """Return why the criterion fails, whatever its verdicts are."""
        missing = conditions.describe_missing(self._judged, self._planned)
        errors = sorted(self._errors)[:_MAX_ERRORS]
        return [*errors, missing] if missing else errors

"""A class decorator that makes SLA criteria fail closed.

Rally passes iterations to criteria in a thread that an exception would end.
All later iterations would be lost, and the stored result might pass.  So a
decorated criterion raises nothing, and fails if anything goes wrong.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any
from typing import TypeVar

from rally.task import sla

from rally_magnum_scale.measurement import conditions
from rally_magnum_scale.task import output

C = TypeVar("C", bound=type[sla.SLA])
_Guard = Callable[[Callable[..., Any]], Callable[..., Any]]

# More errors or letters would only repeat what is wrong.
_MAX_ERRORS = 3
_MAX_LETTERS = 300


@dataclasses.dataclass
class _Account:
    """The iterations of a criterion, and the errors in judging them.

    :param judged: number of iterations that have a result
    :param planned: number of iterations that the runner had to run; 0 if no
        record says so
    :param raised: the errors, in words
    """

    judged: int = 0
    planned: int = 0
    raised: set[str] = dataclasses.field(default_factory=set)

    def note(self, error: Exception) -> None:
        text = f"{type(error).__name__}: {error}"[:_MAX_LETTERS]
        self.raised.add(f"it could not be judged: {text}".rstrip(" .:"))

    def add(self, other: _Account) -> None:
        self.judged += other.judged
        self.planned = max(self.planned, other.planned)
        self.raised |= other.raised

    def troubles(self) -> list[str]:
        """Return why the criterion fails, whatever its verdicts are."""
        missing = conditions.describe_missing(self.judged, self.planned)
        raised = sorted(self.raised)[:_MAX_ERRORS]
        return [*raised, missing] if missing else raised


def fails_closed(cls: C) -> C:
    """Make a criterion fail on errors and on lost iterations.

    The number of planned iterations comes from the records, because Rally
    does not pass the runner's configuration to criteria.
    """
    guards: dict[str, _Guard] = {
        "add_iteration": _guard_add,
        "merge": _guard_merge,
        "details": _guard_details,
        "result": _guard_result,
    }
    for name, guard in guards.items():
        setattr(cls, name, guard(getattr(cls, name)))
    return cls


def _account(criterion: sla.SLA) -> _Account:
    found: _Account = criterion.__dict__.setdefault("_account", _Account())
    return found


def _guard_add(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def add_iteration(self: sla.SLA, iteration: Mapping[str, Any]) -> bool:
        account = _account(self)
        account.judged += 1
        try:
            if planned := output.planned_iterations(iteration):
                account.planned = max(account.planned, planned)
            held = bool(method(self, iteration))
        except Exception as error:
            account.note(error)
            return False
        return held and not account.raised

    return add_iteration


def _guard_merge(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def merge(self: sla.SLA, other: sla.SLA) -> bool:
        account = _account(self)
        try:
            account.add(_account(other))
            held = bool(method(self, other))
        except Exception as error:
            account.note(error)
            return False
        return held and not account.raised

    return merge


def _guard_details(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def details(self: sla.SLA) -> str:
        account = _account(self)
        if not account.troubles():
            try:
                return str(method(self))
            except Exception as error:
                account.note(error)
        return f"{'; '.join(account.troubles())} - Failed"

    return details


def _guard_result(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def result(self: sla.SLA) -> dict[str, Any]:
        account = _account(self)
        try:
            found = dict(method(self))
        except Exception as error:
            account.note(error)
            found = {"criterion": self.get_name()}
        if account.troubles():
            found |= {"success": False, "detail": self.details()}
        return found

    return result

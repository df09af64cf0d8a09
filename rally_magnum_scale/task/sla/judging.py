"""What all criteria of ours have in common, whatever they compare.

Rally counts iterations in a thread that an exception would end: those that
come later would be lost, and what is stored then may pass.  So nothing is
raised here, and whatever goes wrong fails the criterion.
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

# More would only repeat what is wrong.
_MOST_TOLD = 3
_MOST_LETTERS = 300


@dataclasses.dataclass
class _Account:
    """What a criterion was given, and what went wrong.

    :param seen: iterations that have a result
    :param told: how many the runner was told to run; 0 where no record says
        so
    :param raised: what was raised, in words
    """

    seen: int = 0
    told: int = 0
    raised: set[str] = dataclasses.field(default_factory=set)

    def note(self, error: Exception) -> None:
        said = f"{type(error).__name__}: {error}"[:_MOST_LETTERS]
        self.raised.add(f"it could not be judged: {said}".rstrip(" .:"))

    def add(self, other: _Account) -> None:
        self.seen += other.seen
        self.told = max(self.told, other.told)
        self.raised |= other.raised

    def troubles(self) -> list[str]:
        """Say why the criterion fails, whatever was judged."""
        missing = conditions.describe_missing(self.seen, self.told)
        raised = sorted(self.raised)[:_MOST_TOLD]
        return [*raised, missing] if missing else raised


def fails_closed(cls: C) -> C:
    """Let a criterion fail instead of raising, and when iterations are lost.

    How many there must be is read from the records: Rally does not tell a
    criterion what its runner was told.
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
        account.seen += 1
        try:
            if told := output.iterations_told(iteration):
                account.told = max(account.told, told)
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

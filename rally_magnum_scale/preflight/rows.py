"""The rows of the comparison, and their verdicts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from rally_magnum_scale.preflight import have
from rally_magnum_scale.preflight import needs

ENOUGH = "enough"
SHORT = "short"
UNKNOWN = "unknown"
# From the best to the worst.
VERDICTS = (ENOUGH, UNKNOWN, SHORT)

OTHER_DRIVER = (
    "known only for Magnum's driver k8s_fedora_coreos_v1, and this template "
    "may use another"
)


@dataclasses.dataclass(frozen=True)
class Row:
    """What a task needs of one thing, and what the cloud has.

    :param need: how much or which, in words
    :param have: the same of the cloud
    :param verdict: one of :data:`VERDICTS`
    :param change: what to change, or why the verdict is unknown
    :param size: the most that is needed, if it is a number
    :param workload: for which workload of the task; empty for the only one
    """

    what: str
    need: str
    have: str
    verdict: str
    change: str = ""
    size: int = 0
    workload: str = ""

    @property
    def _rank(self) -> tuple[int, int]:
        return VERDICTS.index(self.verdict), self.size

    def is_worse_than(self, other: Row) -> bool:
        return self._rank > other._rank


def unknown(what: str, need: str, reason: object) -> Row:
    """Return the row of something that the cloud does not show."""
    return Row(what, need, "?", UNKNOWN, str(reason))


def compare(
    what: str, amount: needs.Amount, quota: have.Quota, change: str
) -> Row:
    """Compare an amount with a quota, or with anything that is counted.

    :param change: what to change if the amount is too large
    """
    verdict, why = _judge(amount, quota, change)
    return Row(
        what, words(amount), _shown(quota), verdict, why, size=amount.most
    )


def worst(rows: Iterable[Row]) -> list[Row]:
    """Keep the worst row of each thing, in the order of the first ones.

    The workloads of a task run one after the other, and each of several
    projects needs the same.
    """
    found: dict[str, Row] = {}
    for row in rows:
        known = found.setdefault(row.what, row)
        if row.is_worse_than(known):
            found[row.what] = row
    return list(found.values())


def _judge(
    amount: needs.Amount, quota: have.Quota, change: str
) -> tuple[str, str]:
    """Return the verdict, and what to change or why it is unknown."""
    if quota.limit < 0:
        return ENOUGH, ""
    if amount.at_least > quota.free:
        return SHORT, change
    if amount.at_most is None:
        return UNKNOWN, OTHER_DRIVER
    if amount.at_most <= quota.free:
        return ENOUGH, ""
    return UNKNOWN, (
        "the need depends on the projects that iterations choose, or on how "
        f"nodes are replaced; to be safe, {change}"
    )


def _shown(quota: have.Quota) -> str:
    free = f"{quota.free} of {quota.limit}" if quota.used else f"{quota.free}"
    shown = free if quota.limit >= 0 else "unlimited"
    return f"{shown}, set by the task" if quota.planned else shown


def words(amount: needs.Amount) -> str:
    if amount.at_most is None:
        return f"at least {amount.at_least}" if amount.at_least else "?"
    if amount.at_least == amount.at_most:
        return f"{amount.at_least}"
    return f"{amount.at_least} to {amount.at_most}"

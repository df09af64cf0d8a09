"""Verdicts, and which row of a thing is shown."""

import pytest

from rally_magnum_scale.preflight import have
from rally_magnum_scale.preflight import needs
from rally_magnum_scale.preflight import rows


@pytest.mark.parametrize(
    ("at_least", "at_most", "limit", "verdict"),
    [
        (5, 5, 5, "enough"),
        (6, 6, 5, "short"),
        (4, 6, 5, "unknown"),
        (6, 9, 5, "short"),
        (0, None, 5, "unknown"),
        (6, None, 5, "short"),
        (6, 6, -1, "enough"),
        (0, None, -1, "enough"),
        (0, 0, 0, "enough"),
    ],
)
def test_verdicts(at_least, at_most, limit, verdict):
    amount = needs.Amount(at_least, at_most)
    row = rows.compare("x", amount, have.Quota(limit), "get more")
    assert row.verdict == verdict
    assert bool(row.change) == (verdict != "enough")


def test_what_is_used_is_not_there():
    quota = have.Quota(10, used=6)
    row = rows.compare("x", needs.Amount(5, 5), quota, "get more")
    assert (row.need, row.have, row.verdict) == ("5", "4 of 10", "short")
    assert row.change == "get more"


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        (needs.Amount(2, 2), "2"),
        (needs.Amount(2, 3), "2 to 3"),
        (needs.Amount(2, None), "at least 2"),
        (needs.Amount(0, None), "?"),
    ],
)
def test_an_amount_in_words(amount, words):
    row = rows.compare("x", amount, have.Quota(9, planned=True), "")
    assert (row.need, row.have) == (words, "9, set by the task")


def row(what, verdict, size=0, workload=""):
    return rows.Row(what, "", "", verdict, size=size, workload=workload)


def test_the_worst_row_of_each_thing_is_kept():
    kept = rows.worst(
        [
            row("a", "enough"),
            row("b", "short", 5),
            row("a", "unknown"),
            row("b", "short", 9, "large"),
            row("b", "enough", 99),
            row("a", "enough"),
        ]
    )
    assert kept == [row("a", "unknown"), row("b", "short", 9, "large")]

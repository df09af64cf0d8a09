"""How late a watch may report what it reports."""

import math

import pytest

from rally_magnum_scale.measurement import staleness


@pytest.fixture
def stale():
    """A watch that was opened as soon as its list had arrived."""
    found = staleness.Staleness()
    found.listed(100.0)
    found.opened(100.25)
    return found


def received(stale, now):
    stale.received(now)
    return stale.not_before


def test_a_watch_that_works_reports_at_once(stale):
    for now in (101.0, 150.0, 150.5):
        assert received(stale, now) == now - staleness.WATCH_S


def test_a_change_while_the_watch_was_opened_is_not_after_the_list(stale):
    # The watch reports what happened since the list within as much time.
    assert received(stale, 100.25) == 100.0
    assert received(stale, 100.49) == 100.0
    assert received(stale, 100.5) == 100.5 - staleness.WATCH_S


def test_a_first_list_shows_nothing_of_the_time_before():
    found = staleness.Staleness()
    found.listed(100.0)
    assert found.not_before == -math.inf


def test_what_a_resumed_watch_has_missed_may_have_happened_at_any_time(stale):
    received(stale, 150.0)
    stale.closed(160.0)
    stale.opened(170.0)
    # The second of two changes is no more exact than the first.
    assert received(stale, 170.0) == 150.0
    assert received(stale, 170.9) == 150.0
    assert received(stale, 171.0) == 171.0 - staleness.WATCH_S


def test_a_watch_that_breaks_off_again_at_once_has_not_caught_up(stale):
    received(stale, 150.0)
    stale.closed(160.0)
    for now in (170.0, 171.0, 172.0):
        stale.opened(now)
        assert received(stale, now + 0.5) == 150.0
        stale.closed(now + 0.6)


def test_a_silent_watch_was_current_when_it_was_opened(stale):
    # It may have been dead ever since.
    stale.closed(105.25)
    stale.opened(105.5)
    assert received(stale, 105.75) == 100.25


def test_a_new_list_shows_what_happened_since_the_last_event(stale):
    received(stale, 150.0)
    stale.closed(151.0)
    stale.listed(160.0)
    assert stale.not_before == 150.0
    stale.opened(160.5)
    assert received(stale, 160.75) == 160.0


def test_a_watch_that_can_not_resume_was_not_current(stale):
    received(stale, 150.0)
    stale.closed(151.0)
    stale.opened(160.0)
    stale.refused()
    stale.closed(170.0)
    stale.listed(170.0)
    assert stale.not_before == 150.0


def test_an_interrupted_list_does_not_count(stale):
    received(stale, 150.0)
    stale.closed(151.0)
    # The watch can't be opened, so nothing is received either.
    stale.closed(152.0)
    stale.listed(170.0)
    assert stale.not_before == 150.0


@pytest.mark.parametrize(
    ("not_before", "begun_within_s", "resolution_s"),
    [
        (109.5, 0.0, 0.5),
        (109.5, 2.0, 2.5),
        (109.5, 60.0, 10.0),
        (50.0, 0.0, 10.0),
        (-math.inf, 0.0, 10.0),
    ],
)
def test_a_time_is_not_more_wrong_than_it_is_long(
    not_before, begun_within_s, resolution_s
):
    observed = staleness.ObservedTime(110.0, not_before)
    assert observed.resolution_s(100.0, begun_within_s) == resolution_s
    assert observed.resolution_s(120.0, begun_within_s) == 0.0

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


def received(stale, now, version):
    stale.received(now, str(version))
    return stale.not_before


def resumed(stale, now, version):
    """Resume a watch; its list and its opening take 0.25 s each."""
    stale.marked(now - 0.25, str(version))
    stale.opened(now)


def exact(now):
    return now - staleness.WATCH_S


def test_a_watch_that_works_reports_at_once(stale):
    for now in (101.0, 150.0, 150.5):
        assert received(stale, now, now) == exact(now)


def test_a_change_while_the_watch_was_opened_is_not_after_the_list(stale):
    # The watch reports what happened since the list within as much time.
    assert received(stale, 100.25, 11) == 100.0
    assert received(stale, 100.49, 12) == 100.0
    assert received(stale, 100.5, 13) == exact(100.5)


def test_a_first_list_shows_nothing_of_the_time_before():
    found = staleness.Staleness()
    found.listed(100.0)
    assert found.not_before == -math.inf


def test_what_a_resumed_watch_has_missed_may_have_happened_at_any_time(stale):
    received(stale, 150.0, 11)
    resumed(stale, 170.0, 20)
    # The second of two changes is no more exact than the first.
    assert received(stale, 170.0, 12) == 150.0
    # Nor is one that comes so late that the watch would have caught up.
    assert received(stale, 174.0, 20) == 150.0


def test_what_is_newer_than_the_resumption_was_not_missed(stale):
    received(stale, 150.0, 11)
    resumed(stale, 170.0, 20)
    # It happened after the list was requested, maybe before the watch worked.
    assert received(stale, 170.1, 21) == 169.75
    assert received(stale, 170.25, 22) == exact(170.25)


def test_a_watch_that_has_missed_changes_may_have_others_to_report(stale):
    resumed(stale, 170.0, 20)
    assert received(stale, 170.5, 20) == 100.0
    assert received(stale, 171.25, 21) == 169.75
    assert received(stale, 171.5, 22) == exact(171.5)


def test_a_change_is_newer_than_each_list_that_does_not_show_it(stale):
    # Nothing was reported meanwhile, though the watch may have been dead.
    for now, version in ((105.0, 20), (110.0, 30), (115.0, 40)):
        resumed(stale, now, version)
    assert received(stale, 115.0, 30) == 104.75
    assert received(stale, 115.0, 31) == 109.75
    assert received(stale, 115.0, 40) == 109.75
    assert received(stale, 115.0, 41) == 114.75


def test_versions_are_compared_as_numbers(stale):
    resumed(stale, 170.0, 99)
    assert received(stale, 170.5, 100) == exact(170.5)
    resumed(stale, 180.0, 1000)
    assert received(stale, 180.5, 999) == 170.5


# A version that another server may send, and no version at all.
@pytest.mark.parametrize("version", ["a1", "-5", "05", "0", "", "9" * 5000])
def test_without_a_version_a_resumed_watch_has_a_second(stale, version):
    received(stale, 150.0, 11)
    resumed(stale, 170.0, version)
    assert received(stale, 170.9, version) == 150.0
    assert received(stale, 171.0, version) == exact(171.0)


@pytest.mark.parametrize("version", ["a1", "0", ""])
def test_a_change_without_a_version_may_be_missed(stale, version):
    received(stale, 150.0, 11)
    resumed(stale, 170.0, 20)
    assert received(stale, 175.0, version) == 150.0


def test_a_watch_that_breaks_off_again_at_once_has_not_caught_up(stale):
    received(stale, 150.0, 11)
    for now in (170.0, 171.0, 172.0):
        stale.opened(now)
        assert received(stale, now + 0.5, now) == 150.0


def test_a_silent_watch_proves_nothing(stale):
    # It may have been dead ever since it was opened.
    stale.opened(105.5)
    assert received(stale, 105.75, 11) == 100.0


def test_a_new_list_shows_what_happened_since_the_last_event(stale):
    received(stale, 150.0, 11)
    resumed(stale, 155.0, 20)
    # No event has proved that the watch worked since.
    stale.listed(160.0)
    assert stale.not_before == 150.0
    stale.opened(160.5)
    assert received(stale, 160.75, 15) == 160.0
    assert received(stale, 161.0, 16) == exact(161.0)


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

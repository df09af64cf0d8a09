import math

from rally_magnum_scale.report import series
from tests.unit import factories

HOUR = factories.plan(10_000, 20_000, duration_s=1790, ramp_s=10)


def test_every_window_is_a_point_where_there_are_few():
    run = factories.run()
    found = series.read(run).points
    assert len(found) == len(run.windows) == 27
    assert [one.start_s for one in found] == list(range(27))
    assert found[5].achieved_rps == run.windows[5].requests


def test_the_offer_follows_the_ramp_and_ends_with_the_steps():
    found = series.read(factories.run(factories.plan(600, 1200))).points
    assert [round(one.offered_rps) for one in found[:4]] == [
        100,
        300,
        500,
        600,
    ]
    assert [round(one.offered_rps) for one in found[13:17]] == [
        700,
        900,
        1100,
        1200,
    ]
    assert found[-1].phase == "stop"
    assert found[-1].offered_rps is None


def test_a_closed_loop_has_no_offer():
    found = series.read(factories.run(factories.plan(None))).points
    assert {one.offered_rps for one in found} == {None}


def test_windows_are_merged_and_not_averaged():
    run = factories.run(HOUR)
    found = series.read(run, 100).points
    assert len(found) <= 105
    total = sum(one.achieved_rps * one.seconds for one in found)
    assert math.isclose(total, sum(one.requests for one in run.windows))
    # A maximum survives only where histograms were merged.
    highest = max(one.latency_us.max_us for one in run.windows)
    assert max(one.latency_us["max"] for one in found) == highest


def test_no_point_lies_across_a_phase_or_a_gap():
    run = factories.run(without=(8, 9))
    found = series.read(run, 5).points
    assert all(one.start_s + one.seconds <= 27 for one in found)
    assert series.read(run).gaps == ((8, 10),)
    parts = series.connected(found)
    assert [parts[0][0].start_s, parts[1][0].start_s] == [0, 10]
    assert len(parts) == 2
    for one in found:
        assert not one.start_s < 8 < one.start_s + one.seconds
        assert not one.start_s < 13 < one.start_s + one.seconds


def test_spans_are_the_phases_of_the_steps():
    run = factories.run(reasons=["a worker died"])
    found = [
        (one.start_s, one.end_s, one.phase, one.step, one.reasons)
        for one in series.read(run).spans
    ]
    assert found == [
        (0, 3, "ramp", 1, ()),
        (3, 13, "steady", 1, ("a worker died",)),
        (13, 16, "ramp", 2, ()),
        (16, 26, "steady", 2, ("a worker died",)),
        (26, 27, "stop", 2, ()),
    ]


def test_events_lie_on_the_same_clock():
    run = factories.run(
        events=[
            {"kind": "undated"},
            factories.event(20, "worker_died", "rms-worker-2"),
            factories.event(4, "late", "one"),
        ]
    )
    found = series.read(run).events
    assert [(one.at_s, one.kind) for one in found] == [
        (4, "late"),
        (20, "worker_died"),
        (None, "undated"),
    ]


def test_without_windows_there_is_nothing():
    empty = factories.failed_create().iterations[0].run
    assert series.read(empty).points == ()
    assert series.read(empty).spans == ()
    assert series.read(empty).length_s == 0

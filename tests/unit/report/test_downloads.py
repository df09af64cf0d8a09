"""Records are taken along as finely as there is room for."""

import base64
import dataclasses
import gzip
import json

import pytest

from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.in_bay.stats import steps
from rally_magnum_scale.in_bay.stats.histogram import Histogram
from rally_magnum_scale.in_bay.stats.windows import Part
from rally_magnum_scale.in_bay.stats.windows import Window
from rally_magnum_scale.report import downloads
from tests.unit import factories

EVENT = {**factories.event(15, "node_lost", "rms-3"), "kept": True}


def text_of(run):
    """The records of a run with an event in the middle."""
    lines = factories.lines(run).splitlines()
    return "\n".join([*lines[:15], json.dumps(EVENT), *lines[15:]])


def iteration(run):
    return factories.iteration(of_run=run, raw=text_of(run))


def text_in(address):
    packed = base64.b64decode(
        address.removeprefix("data:application/gzip;base64,")
    )
    return gzip.decompress(packed).decode()


def records_in(address):
    return list(map(json.loads, text_in(address).splitlines()))


@pytest.fixture(scope="module")
def run():
    return factories.run(factories.plan(10_000, duration_s=90, ramp_s=30))


@pytest.fixture(scope="module")
def sizes(run):
    """How large the records are with windows of 1, 10 and 30 seconds."""
    one, found = iteration(run), []
    for _ in range(3):
        most = found[-1] - 1 if found else 10**9
        packed = downloads.pack([one], most)
        found.append(len(packed.addresses[0]))
    return found


def test_what_fits_is_taken_as_it_was_measured(run, sizes):
    packed = downloads.pack([iteration(run)], sizes[0])
    assert packed.window_s == 1
    assert text_in(packed.addresses[0]) == text_of(run)


@pytest.mark.parametrize(
    ("at", "window_s", "windows"),
    # Ramp, steady seconds and stop; the event parts the windows of the ramp.
    # The epoch second of the start is a multiple of 10; one of 30 comes 10 s
    # after it.
    [(1, 10, 3 + 1 + 9 + 1), (2, 30, 2 + 1 + 4 + 1)],
)
def test_too_much_is_added_up_and_nothing_is_lost(
    run, sizes, at, window_s, windows
):
    packed = downloads.pack([iteration(run)], sizes[at - 1] - 1)
    assert packed.window_s == window_s
    found = records_in(packed.addresses[0])
    assert [one for one in found if one["record"] == "event"] == [EVENT]
    rows = [one for one in found if one["record"] == "window"]
    merged = [Window.from_json(one) for one in rows]
    assert sum(one["seconds"] for one in rows) == len(run.windows)
    for name in ("latency_us", "service_us", "schedule_lag_us"):
        assert Histogram().merge(
            *(getattr(one, name) for one in merged)
        ) == Histogram().merge(*(getattr(one, name) for one in run.windows))
    for name in ("requests", "failed"):
        assert sum(getattr(one, name) for one in merged) == sum(
            getattr(one, name) for one in run.windows
        )
    assert {(one.phase, one.step) for one in merged} == {
        (one.phase, one.step) for one in run.windows
    }
    assert {one.workers for one in merged} == {2}
    assert rows[0]["task"] == factories.SOURCE.task
    assert len(rows) == windows


def test_all_iterations_share_the_room(run, sizes):
    empty = factories.iteration(of_run=records.Run())
    every = [iteration(run), empty, iteration(run)]
    packed = downloads.pack(every, 2 * sizes[0] - 1)
    assert packed.window_s == 10
    assert packed.addresses[1] == ""
    assert packed.addresses[0] == packed.addresses[2] != ""


@pytest.mark.parametrize(
    "line",
    [
        '{"record":"window","version":1,"second":1,"step":1,"phase":"ramp"}',
        '{"record":"window"}',
        '{"record":"win',
        "[1]",
    ],
)
def test_an_iteration_that_can_not_be_read_is_taken_as_it_is(run, sizes, line):
    unread = factories.iteration(of_run=records.Run(), raw=line)
    packed = downloads.pack([unread, iteration(run)], sizes[0] - 1)
    assert packed.window_s == 10
    assert text_in(packed.addresses[0]) == line
    assert len(records_in(packed.addresses[1])) < len(run.windows)


def test_late_requests_are_merged_by_the_phase_in_which_they_were_due(
    run, sizes
):
    first, second = (
        Part(1, steps.RAMP, 1, {"timeout": 1}, Histogram({us: 1}))
        for us in (5, 7)
    )
    seen = list(run.windows)
    at = next(n for n, one in enumerate(seen) if one.phase == steps.STEADY)
    for offset, part in enumerate((first, second)):
        seen[at + offset] = dataclasses.replace(
            seen[at + offset], carried=(part,)
        )
    changed = dataclasses.replace(run, windows=tuple(seen))
    packed = downloads.pack([iteration(changed)], sizes[0] - 1)
    found = records_in(packed.addresses[0])
    merged = [Window.from_json(one) for one in found if "seconds" in one]
    (carried,) = [
        part
        for one in merged
        for part in one.carried
        if part.phase == steps.RAMP
    ]
    assert carried == Part(
        1, steps.RAMP, 2, {"timeout": 2}, Histogram({5: 1, 7: 1})
    )


def test_what_can_not_fit_is_left_out(run):
    nothing = downloads.Downloads(0, [""])
    assert downloads.pack([iteration(run)], 100) == nothing

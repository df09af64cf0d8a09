import dataclasses
import json
import math

import pytest

from rally_magnum_scale.in_bay.stats import disruption_records
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.in_bay.stats import windows
from tests.unit import factories

EVENTS = (
    ("update", "updates", factories.update()),
    ("fault", "faults", factories.fault()),
)


def written(kind, event):
    return factories.SOURCE.envelope(kind, event.to_json())


def read(*found):
    return records.collect(records.parse(records.dump(found).splitlines()))


@pytest.mark.parametrize(("kind", "field", "event"), EVENTS)
def test_a_record_is_read_as_it_was_written(kind, field, event):
    again = dataclasses.replace(event, number=2, load=None, ended_s=None)
    run = read(written(kind, event), written(kind, again))
    assert getattr(run, field) == (event, again)
    assert getattr(run, field)[0].load.valid


@pytest.mark.parametrize(("kind", "field", "event"), EVENTS)
def test_a_record_of_a_later_release_is_read_without_what_is_new(
    kind, field, event
):
    record = {**written(kind, event), "moon": "full"}
    record["load"]["moon"] = "full"
    assert getattr(read(record), field) == (event,)


@pytest.mark.parametrize(("kind", "field", "event"), EVENTS)
@pytest.mark.parametrize("missing", ["number", "step", "at_s"])
def test_a_record_without_its_place_is_none(kind, field, event, missing):
    record = written(kind, event)
    del record[missing]
    with pytest.raises(ValueError, match=missing):
        read(record)


def test_a_load_that_lacks_a_figure_can_not_be_read():
    record = written("update", factories.update())
    del record["load"]["requests"]
    with pytest.raises(ValueError, match="requests"):
        read(record)


def test_records_of_before_have_no_events_and_no_versions():
    run = factories.run()
    lines = [
        factories.SOURCE.envelope("throughput", run.throughput.to_json()),
        *(
            factories.SOURCE.envelope("window", one.to_json())
            for one in run.windows
        ),
    ]
    assert "versions" not in json.dumps(lines)
    found = read(
        *(
            {**line, "bay": "rms-bay"} if "steps" in line else line
            for line in lines
        )
    )
    assert (found.updates, found.faults) == ((), ())
    assert found.throughput == run.throughput
    assert {len(one.versions) for one in found.windows} == {0}


@pytest.mark.parametrize(("kind", "field", "event"), EVENTS)
def test_an_event_lasts_from_its_beginning_to_its_end(kind, field, event):
    assert event.duration_s == pytest.approx(event.ended_s - event.began_s)
    for name in ("began_s", "ended_s"):
        assert dataclasses.replace(event, **{name: None}).duration_s is None


def test_an_update_is_divided_by_its_targets():
    assert factories.update().per_target_s == pytest.approx(2.4)
    assert factories.update(old_gone_s=None).per_target_s is None
    assert factories.update(targets=0).per_target_s is None
    assert factories.update(new_ready_s=None).per_target_s is None
    at_once = factories.update(new_ready_s=0.0, old_gone_s=0.0)
    assert at_once.per_target_s == 0


def test_what_a_record_does_not_count_is_none_lost_and_nothing_to_divide_by():
    records_of = {kind: written(kind, event) for kind, _, event in EVENTS}
    del records_of["update"]["targets"], records_of["fault"]["targets_lost"]
    run = read(*records_of.values())
    assert run.updates[0].all_new_s == pytest.approx(9.6)
    assert run.updates[0].per_target_s is None
    assert run.faults[0].targets_lost == 0


@pytest.mark.parametrize(
    ("pods_s", "requests_s", "recovered_s"),
    [
        (7.5, 9.8, 9.8),
        (9.8, 7.5, 9.8),
        (7.5, 0.0, 7.5),
        (None, 9.8, None),
        (7.5, None, None),
        (None, None, None),
    ],
)
def test_a_fault_is_over_when_pods_and_requests_are_well(
    pods_s, requests_s, recovered_s
):
    fault = factories.fault(pods_ready_s=pods_s, requests_s=requests_s)
    assert fault.recovery_s == recovered_s


def test_a_time_of_an_event_that_an_older_release_wrote_is_taken_as_exact():
    for event, name in (
        (factories.update(), "all_new_s"),
        (factories.fault(), "recovery_s"),
    ):
        assert event.resolution_s(name) is None
        assert event.coarsest_resolution_s is None


@pytest.mark.parametrize(
    ("changes", "resolution_s"),
    [
        ({}, 0.5),
        # The new targets may have been Ready after the old ones were gone.
        ({"old_gone_resolution_s": 4.0}, 1.85),
        ({"old_gone_resolution_s": None}, None),
        ({"new_ready_s": None}, None),
    ],
)
def test_an_update_is_as_exact_as_its_later_end(changes, resolution_s):
    update = factories.update(
        **{
            "new_ready_resolution_s": 0.25,
            "old_gone_resolution_s": 0.5,
            **changes,
        }
    )
    assert update.resolution_s("all_new_s") == (
        None if resolution_s is None else pytest.approx(resolution_s)
    )


@pytest.mark.parametrize(
    ("requests_s", "begun_within_s", "resolution_s"),
    [
        (9.8, 0.0, 1.0),
        (9.8, 2.5, 3.5),
        (0.5, 2.5, 0.5),
        # No request failed.
        (0.0, 2.5, 0.0),
        (None, 2.5, None),
        (9.8, None, None),
    ],
)
def test_failed_requests_are_as_exact_as_windows_and_injection(
    requests_s, begun_within_s, resolution_s
):
    fault = factories.fault(
        requests_s=requests_s, begun_within_s=begun_within_s
    )
    assert fault.resolution_s("requests_s") == resolution_s


def test_a_recovery_is_as_exact_as_its_later_end():
    fault = factories.fault(
        pods_ready_s=9.5,
        pods_ready_resolution_s=0.25,
        requests_s=9.75,
        begun_within_s=0.0,
    )
    assert fault.resolution_s("recovery_s") == 0.5
    assert fault.coarsest_resolution_s == 1.0


def test_nodes_are_lost_in_three_ways_by_default_from_the_network():
    assert disruption_records.HOWS[0] == "network"
    assert disruption_records.Fault(1, 1, 0.0).how == "network"


def seconds(*each, stop=()):
    """Windows of these answers and failures, one after another."""
    return [
        windows.Window(
            second=factories.START + at,
            phase="stop" if at in stop else "steady",
            step=1,
            workers=1,
            requests=requests,
            failures={"reset": failed} if failed else {},
            versions={"1": requests} if requests else {},
        )
        for at, (requests, failed) in enumerate(each)
    ]


WELL, BAD, HUNG = (9, 0), (4, 5), (0, 0)


@pytest.mark.parametrize(
    ("each", "stop", "found"),
    [
        ([WELL, WELL, WELL], (), (0.0, 0)),
        ([WELL, BAD, BAD, WELL], (), (1.5, 10)),
        # It failed in the second of the event, and again much later.
        ([WELL, BAD, WELL, WELL, BAD, WELL], (), (3.5, 10)),
        # Before the event is not after it.
        ([BAD, WELL, WELL], (), (0.0, 0)),
        # Nobody knows whether these were the last.
        ([WELL, BAD, BAD], (), (None, 10)),
        ([WELL, BAD, WELL], (2,), (None, 5)),
        ([WELL, BAD, BAD, WELL], (2, 3), (None, 10)),
        # Requests that hang fail later, maybe after the end.
        ([WELL, BAD, HUNG, HUNG], (), (None, 5)),
        ([WELL, WELL, HUNG, HUNG], (), (None, 0)),
        ([WELL, WELL], (), (None, 0)),
        ([], (), (None, 0)),
    ],
)
def test_requests_fail_until_the_last_second_in_which_one_did(
    each, stop, found
):
    began_s = factories.START + 1.5
    seen = seconds(*each, stop=stop)
    assert disruption_records.failing(seen, began_s, math.inf, 10) == found
    assert (
        disruption_records.failing(seen[::-1], began_s, math.inf, 10) == found
    )


@pytest.mark.parametrize("next_s", [5.0, 5.9])
def test_the_failures_of_the_next_event_are_its_own(next_s):
    seen = seconds(WELL, BAD, WELL, WELL, WELL, BAD, WELL)
    began_s, until_s = factories.START + 1.5, factories.START + next_s
    assert disruption_records.failing(seen, began_s, until_s, 2) == (0.5, 5)


# 150 requests hang from 5.3 s on, and fail after 10 s.
HANG = [WELL] * 15 + [(4, 50)] * 3 + [WELL] * 20


@pytest.mark.parametrize(
    ("next_s", "timeout_s", "found"),
    [
        (math.inf, 10, (12.7, 150)),
        # None has failed yet, or not all have.
        (8, 10, (None, 0)),
        (15, 10, (None, 0)),
        (16.5, 10, (None, 50)),
        (18, 10, (None, 150)),
        # What was sent in the 17th second might still hang.
        (28.9, 10, (None, 150)),
        (28.9, 9.1, (None, 150)),
        (29, 10, (12.7, 150)),
        (28, 9, (12.7, 150)),
    ],
)
def test_the_next_event_must_leave_time_for_what_hangs_to_fail(
    next_s, timeout_s, found
):
    began_s, until_s = factories.START + 5.3, factories.START + next_s
    told = disruption_records.failing(
        seconds(*HANG), began_s, until_s, timeout_s
    )
    assert told == (found[0] and pytest.approx(found[0]), found[1])


@pytest.mark.parametrize(("next_s", "found"), [(12.9, None), (13, 0.0)])
def test_without_a_failure_the_time_out_counts_from_the_beginning(
    next_s, found
):
    began_s, until_s = factories.START + 1.5, factories.START + next_s
    seen = seconds(*[WELL] * 20)
    assert disruption_records.failing(seen, began_s, until_s, 10) == (found, 0)


def test_answers_are_added_up_by_version_in_whole_seconds():
    seen = seconds(WELL, BAD, HUNG, (7, 0), WELL)
    seen[3] = dataclasses.replace(seen[3], versions={"1": 2, "2": 5})
    start_s = factories.START
    found = disruption_records.versions(seen, start_s + 1.5, start_s + 3.1)
    assert found == {"1": 6, "2": 5}
    assert disruption_records.versions(seen, start_s + 2, start_s + 3) == {}

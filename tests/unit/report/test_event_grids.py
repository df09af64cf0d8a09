import dataclasses

import pytest

from rally_magnum_scale.in_bay.stats import disruption_records
from rally_magnum_scale.report import event_grids
from rally_magnum_scale.report import page
from rally_magnum_scale.report import table
from tests.unit import factories

STUCK = {
    "ended_s": None,
    "load": None,
    "failure": "timeout",
}
FAILED_UPDATE = factories.update(
    **STUCK,
    new_ready_s=None,
    old_gone_s=None,
    fewest_ready=None,
    versions={},
    reason="a new pod can't start: ImagePullBackOff",
)
NEVER_RECOVERED = factories.fault(
    **STUCK,
    number=2,
    how="delete",
    nodes=[f"n-{n}" for n in range(5)],
    pods_ready_s=None,
    requests_s=None,
    requests_lost=None,
    reason="3 of 6 serve there",
)


def told(grid, row=0):
    return dict(zip(grid.head, grid.rows[row], strict=True))


def a_run(iteration=1, **events):
    return dataclasses.replace(factories.run(iteration=iteration), **events)


def a_report(*runs):
    found = (factories.iteration(one.iteration, one) for one in runs)
    return factories.report(factories.workload(*found))


def test_an_update_tells_its_times_and_its_load():
    found = event_grids.updates([factories.updated()])
    assert told(found) == {
        "Event": "update 1",
        "Step": "1",
        "Strategy": "RollingUpdate",
        "Targets": "4",
        "New Ready s": "8",
        "Old gone s": "9.6",
        "s/target": "2.4",
        "Fewest Ready": "3",
        "Requests": "100,000",
        "Failed": "40",
        "Failed share": "0.04 %",
        "p99 ms": "7",
        "Ended": "well",
    }
    assert found.notes == (
        "Update 1: responses by version 1: 62 % (61,976), version 2: 38 % "
        "(37,984).",
        "Update 1: failed requests: reset 30, timeout 10.",
    )


def test_an_update_without_a_failed_request_says_none():
    load = factories.event_load(failures={}, error_ratio=0.0)
    found = event_grids.updates([factories.updated(load=load)])
    assert told(found)["Failed"] == "0"
    assert told(found)["Failed share"] == "0"
    assert not any("failed" in one for one in found.notes)


def test_an_update_without_versions_says_nothing_of_them():
    found = event_grids.updates([factories.updated(versions={})])
    assert not any("version" in one for one in found.notes)


def test_answers_that_did_not_tell_their_version_are_counted():
    update = factories.updated(versions={"": 1, "10": 2, "9": 1})
    (note, _) = event_grids.updates([update]).notes
    assert note.endswith(
        "version 9: 25 % (1), version 10: 50 % (2), unknown version: 25 % (1)."
    )


def test_an_update_that_failed_says_why_and_has_no_figures():
    found = event_grids.updates([a_run(updates=(FAILED_UPDATE,))])
    assert told(found) == {
        "Event": "update 1",
        "Step": "1",
        "Strategy": "RollingUpdate",
        "Targets": "4",
        "Ended": "failed (timeout)",
    }
    assert found.notes == (
        "Update 1: a new pod can't start: ImagePullBackOff.",
    )


def test_a_failed_event_stands_beside_one_that_went_well():
    runs = [
        factories.updated(),
        a_run(iteration=2, updates=(FAILED_UPDATE,)),
    ]
    found = event_grids.updates(runs)
    assert told(found)["Event"] == "update 1, iteration 1"
    assert told(found, 1)["Event"] == "update 1, iteration 2"
    for name in ("Old gone s", "Requests", "Failed", "Failed share", "p99 ms"):
        assert told(found, 1)[name] == "-"
    assert found.notes[0].startswith("The same for all: Step 1; Strategy Rol")
    assert found.notes[-1].startswith("Update 1, iteration 2: a new pod")


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("network", "dropped from the network"),
        ("stop", "stopped"),
        ("delete", "deleted"),
    ],
)
def test_a_fault_tells_how_and_when_all_was_well_again(how, said):
    found = event_grids.faults([factories.broken(factories.fault(how=how))])
    assert told(found) == {
        "Event": "fault 1",
        "Step": "1",
        "Nodes": "1",
        "How": said,
        "Targets lost": "2",
        "Noticed s": "4",
        "Ready s": "7.5",
        "Last failure s": "9.8",
        "Recovered s": "9.8",
        "Requests lost": "40",
        "Failed share": "0.04 %",
        "p99 ms": "7",
        "Ended": "well",
    }
    assert found.notes[0] == "Fault 1: the nodes were rms-node-3."


def test_every_way_to_lose_a_node_has_words():
    assert set(disruption_records.HOWS) == set(
        disruption_records.HOWS_IN_WORDS
    )


def test_a_fault_without_a_failed_request_was_no_loss():
    fault = factories.fault(
        load=factories.event_load(failures={}, error_ratio=0.0),
        requests_s=0.0,
        requests_lost=0,
    )
    row = told(event_grids.faults([factories.broken(fault)]))
    assert row["Last failure s"] == row["Requests lost"] == "0"
    assert row["Recovered s"] == "7.5"


def test_a_fault_that_never_recovered_has_dashes_and_a_reason():
    run = factories.broken(factories.fault(), NEVER_RECOVERED)
    found = event_grids.faults([run])
    row = told(found, 1)
    for name in ("Ready s", "Last failure s", "Recovered s", "Requests lost"):
        assert row[name] == "-"
    assert row["Noticed s"] == "4"
    assert row["Ended"] == "failed (timeout)"
    assert found.notes[-2:] == (
        "Fault 2: the nodes were n-0, n-1, n-2 and 2 more.",
        "Fault 2: 3 of 6 serve there.",
    )


def test_a_reason_is_told_though_nothing_failed():
    fault = factories.fault(requests_s=None, reason="requests still failed.")
    found = event_grids.faults([factories.broken(fault)])
    assert "Fault 1: requests still failed." in found.notes
    assert told(found)["Ended"] == "not seen"


def test_a_load_that_does_not_count_says_why():
    load = factories.event_load(reasons=["a worker died", "a gap"])
    for grid in event_grids.every(
        [a_run(updates=(factories.update(load=load),))]
    ):
        assert grid.notes[-1] == (
            "Update 1: its load does not count: a worker died; a gap."
        )


def test_without_events_there_is_no_table():
    assert event_grids.every([factories.run()]) == []
    assert event_grids.every([]) == []


def test_events_are_on_the_page_and_in_the_terminal():
    run = dataclasses.replace(
        factories.updated(), faults=(factories.fault(), NEVER_RECOVERED)
    )
    report = a_report(run)
    wide = table.render(report, width=250)
    for text in (page.render(report), wide):
        for said in (
            "Updates under load",
            "Nodes lost under load",
            "update 1",
            "100,000",
            "0.04 %",
            "version 2: 38 % (37,984)",
            "the nodes were rms-node-3.",
            "Fault 2: 3 of 6 serve there.",
        ):
            assert said in text
    without = a_report(factories.run())
    for text in (page.render(without), table.render(without)):
        assert "under load" not in text


@pytest.mark.parametrize("width", [40, 80, 100])
def test_the_tables_fit_the_terminal(width):
    runs = [
        dataclasses.replace(
            factories.updated(), iteration=n, faults=(NEVER_RECOVERED,)
        )
        for n in (1, 2)
    ]
    text = table.render(a_report(*runs), width)
    assert all(table.display_width(t) <= width for t in text.splitlines())


def test_the_times_of_an_event_are_told_with_their_resolution():
    update = factories.updated(
        new_ready_resolution_s=0.5, old_gone_resolution_s=2.25
    )
    assert told(event_grids.updates([update]))["Exact to s"] == "2.25"
    fault = factories.fault(begun_within_s=1.5)
    found = event_grids.faults([a_run(faults=(fault,))])
    assert told(found)["Exact to s"] == "2.5"

import dataclasses
import json
import pickle

import pytest

from rally_magnum_scale.in_bay.collector import Collector
from rally_magnum_scale.in_bay.stats.histogram import Histogram
from rally_magnum_scale.in_bay.stats.records import Source
from rally_magnum_scale.in_bay.stats.steps import Plan
from rally_magnum_scale.in_bay.stats.steps import Step
from rally_magnum_scale.in_bay.stats.windows import Part
from rally_magnum_scale.in_bay.stats.windows import Window
from tests.unit import loads

JOB = loads.job(
    "http://x/",
    Step(100, 2, 1),
    worker_processes=2,
    source=Source("t", 2, "b"),
)
OUTCOME = {"requests": 30, "failures": {}, "due": [20], "late_s": 0.0}


def window(second, requests=10, failures=None):
    where = JOB.traffic.plan.position(second - 100)
    return Window(
        second, where.phase, where.step + 1, 1, requests, failures or {}
    ).packed()


@pytest.fixture
def collector():
    made = Collector(JOB)
    made.begin(["one", "two"], 100)
    return made


def only(records, name):
    return [one for one in records if one["record"] == name]


def finish(collector, worker, **changes):
    collector.add(worker, [window(second) for second in (100, 101, 102)])
    collector.done(worker, 103, {**OUTCOME, **changes})


def test_a_valid_run_has_no_reasons(collector):
    finish(collector, "one")
    assert collector.records(103) == []
    finish(collector, "two")
    records = collector.records(103) + collector.end(103)
    json.dumps(records)
    assert [one["second"] for one in only(records, "window")] == [
        100,
        101,
        102,
    ]
    assert all(one["workers"] == 2 for one in only(records, "window"))
    assert all(
        (one["task"], one["iteration"], one["bay"]) == ("t", 2, "b")
        for one in records
    )
    assert records[-1]["record"] == "end"
    assert records[-1]["requests"] == 60
    assert records[-1]["windows"] == 3
    assert records[-1]["reasons"] == []


def test_the_start_names_the_cpus_of_a_pod_with_all_its_processes(collector):
    cpus = {
        "rms-worker-a_1f": "0",
        "rms-worker-a_2f": "3",
        "rms-worker-b_3f": "0,3",
        "rms-worker-c_4f": "",
    }
    start = collector.start(97.25, cpus)
    assert start["record"] == "start"
    assert (start["second"], start["written_s"]) == (100, 97.25)
    assert start["steps"] == JOB.traffic.plan.to_json()
    # One that did not tell is not taken to have none.
    assert start["cpus"] == {"0,3": ["rms-worker-a", "rms-worker-b"]}


def cpu_of_windows(collector, cpu_s):
    for worker in ("one", "two"):
        for second in (100, 101, 102):
            packed = {**window(second), "cpu_s": cpu_s}
            collector.add(worker, [packed])
        collector.done(worker, 103, OUTCOME)
    return [one["cpu_s"] for one in only(collector.records(103), "window")]


def test_the_cpu_time_of_the_master_is_added_to_that_of_its_workers(collector):
    for now_s, used_s in (
        (99.9, 4.0),
        (100.1, 5.0),
        (100.3, 5.9),
        (101.0, 6.0),
        # It stood still for a second: nothing of that is lost.
        (103.2, 8.5),
    ):
        collector.note_cpu(now_s, used_s)
    assert cpu_of_windows(collector, 0.25) == [1.5, 0.5, 3.0]


def test_a_window_without_cpu_time_stays_without(collector):
    for second in range(100, 105):
        collector.note_cpu(second, second / 10)
    assert cpu_of_windows(collector, None) == [None] * 3


def test_a_master_without_cpu_samples_adds_nothing(collector):
    assert cpu_of_windows(collector, 0.25) == [0.5] * 3


def test_a_window_is_complete_when_all_workers_have_sent_theirs(collector):
    collector.add("one", [window(100), window(101)])
    assert collector.records(102) == []
    collector.add("two", [window(100)])
    assert [one["second"] for one in collector.records(102)] == [100]


def test_an_overdue_window_is_written_without_the_late_worker(collector):
    collector.add("one", [window(100)])
    assert collector.records(110) == []
    records = collector.records(111.5)
    assert only(records, "window")[0]["workers"] == 1
    assert "late" in only(records, "event")[0]["kind"]
    collector.add("two", [window(100)])
    reasons = collector.end(112)[-1]["reasons"]
    assert any("no window of worker two" in one for one in reasons)
    assert any("came more than 10 s late" in one for one in reasons)


def test_a_dead_worker_is_not_waited_for_and_makes_the_run_invalid(collector):
    collector.add("two", [window(100)])
    collector.died("two", 101)
    finish(collector, "one")
    records = collector.records(103)
    assert collector.waiting_for == set()
    assert [one["workers"] for one in only(records, "window")] == [2, 1, 1]
    assert only(records, "event")[0]["kind"] == "worker_died"
    assert collector.end(103)[-1]["reasons"] == ["worker two died"]


def test_a_worker_that_ends_after_its_report_is_not_dead(collector):
    finish(collector, "one")
    collector.died("one", 103)
    assert collector.waiting_for == {"two"}


def test_missing_workers_are_named():
    collector = Collector(JOB)
    collector.begin([], 0)
    last = collector.end(300)[-1]
    assert last["workers_expected"] == 2
    assert last["workers_connected"] == 0
    assert last["windows"] == 0
    assert "2 of 2 workers did not connect within 300 s" in last["reasons"]


def test_a_refusal_is_the_only_reason():
    collector = Collector(JOB)
    collector.refuse(300, "locust_file_refused", "locust_file: it is empty")
    event, last = collector.end(300)
    assert (event["kind"], event["second"]) == ("locust_file_refused", 300)
    assert last["reasons"] == ["locust_file: it is empty"]
    assert (last["windows"], last["requests"]) == (0, 0)


@pytest.mark.parametrize(("skew_s", "valid"), [(0.4, True), (-0.6, False)])
def test_a_clock_skew_over_the_limit_makes_the_run_invalid(
    collector, skew_s, valid
):
    collector.check_clocks(100, {"one": 0.0, "two": skew_s})
    finish(collector, "one")
    finish(collector, "two")
    assert bool(collector.end(103)[-1]["reasons"]) is not valid


def test_unanswered_clock_probes_make_the_run_invalid(collector):
    collector.check_clocks(100, {"two": 0.0})
    finish(collector, "one")
    finish(collector, "two")
    records = collector.end(103)
    assert only(records, "event")[0]["kind"] == "clock_unknown"
    (reason,) = records[-1]["reasons"]
    assert reason.startswith("1 of 2 workers did not report their time within")


def test_a_late_start_is_named(collector):
    finish(collector, "one")
    finish(collector, "two", late_s=0.3)
    assert collector.end(103)[-1]["reasons"] == [
        "worker two started 0.3 s late"
    ]


def test_requests_that_no_window_holds_are_named(collector):
    finish(collector, "one")
    finish(collector, "two", requests=31)
    assert "windows hold 60" in collector.end(103)[-1]["reasons"][0]


def test_missing_windows_are_named(collector):
    for worker in ("one", "two"):
        collector.add(worker, [window(100), window(101)])
        collector.done(worker, 102, {**OUTCOME, "requests": 20})
    assert "only 2 of 3 windows" in collector.end(103)[-1]["reasons"][0]


def test_a_silent_worker_is_named(collector):
    finish(collector, "one")
    reasons = collector.end(200)[-1]["reasons"]
    assert "worker two never finished" in reasons


def test_a_reason_is_given_once(collector):
    collector.fail(100, "x", "something")
    collector.fail(101, "x", "something")
    assert len(only(collector.records(100), "event")) == 1


def test_only_the_first_reasons_of_a_kind_are_written_and_all_are_counted():
    collector = Collector(JOB)
    names = [f"worker-{number:02}" for number in range(25)]
    collector.begin(names, 100)
    for name in [*names, *names]:
        collector.died(name, 101)
    collector.fail(102, "other", "something else")
    events = only(collector.records(103), "event")
    assert [one["kind"] for one in events] == [*["worker_died"] * 10, "other"]
    died = [one for one in collector.reasons if one.endswith(" died")]
    assert died == [f"worker {name} died" for name in names[:10]]
    assert collector.reasons[10:] == [
        "something else",
        "15 more reasons are of the kind worker_died",
    ]


def test_windows_of_unknown_workers_are_ignored(collector):
    collector.add("three", [window(100)])
    assert collector.records(1000) == []


def test_failures_and_due_requests_are_summed(collector):
    collector.add("one", [window(100, failures={"reset": 2})])
    collector.done("one", 103, {**OUTCOME, "due": [5]})
    collector.done("two", 103, {**OUTCOME, "due": [7]})
    last = collector.end(103)[-1]
    assert last["failures"] == {"reset": 2}
    assert last["due"] == [12]


def test_the_steps_of_a_search_are_numbered_consecutively(collector):
    times = Histogram.from_values_us({5: 2})
    late = Part(1, "steady", 2, {"reset": 1}, times, times)
    for leg in (0, 1):
        collector.begin(["one"], 100 + 5 * leg, steps_before=leg)
        stop = Window(
            103 + 5 * leg, "stop", 1, 1, 2, {"reset": 1}, times, times
        )
        stop = dataclasses.replace(stop, carried=(late,))
        collector.add("one", [stop.packed()])
        (record,) = only(collector.end(110), "window")
        assert record["step"] == leg + 1
        assert [one["step"] for one in record["carried"]] == [leg + 1]


def test_due_requests_are_listed_for_all_steps_of_a_search(collector):
    for leg, due in enumerate((20, None, 30)):
        plan = Plan((Step(None if due is None else 100, 2, 1),))
        collector.begin(["one"], 100 + 5 * leg, plan, steps_before=leg)
        collector.done("one", 103 + 5 * leg, {**OUTCOME, "due": [due]})
        assert collector.step_due == [due]
    assert collector.end(120)[-1]["due"] == [20, None, 30]


def test_an_hour_of_windows_takes_no_more_memory_than_five_minutes():
    hour = loads.job("http://x/", Step(100, 3600), worker_processes=10)
    collector = Collector(hour)
    names = [f"worker-{number}" for number in range(hour.worker_processes)]
    collector.begin(names, 1000)
    times = Histogram.from_values_us(dict.fromkeys(range(100, 300, 7), 1))
    parts = Window(0, "steady", 1, 1, 29, {}, times, times).packed()
    held_bytes = {}
    given_out = 0
    # Locust's workers report every 3 s, and never all at once.
    for second in range(1000, 4600, 3):
        for name in names:
            collector.add(
                name, [{**parts, "second": second + one} for one in range(3)]
            )
            given_out += len(only(collector.records(second + 3), "window"))
            if name == names[-2] and second in (1300, 4597):
                held_bytes[second] = len(pickle.dumps(vars(collector)))
    assert given_out == 3600
    assert held_bytes[4597] < held_bytes[1300] * 1.1

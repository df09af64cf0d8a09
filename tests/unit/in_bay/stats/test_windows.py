import dataclasses
import json

import pytest

from rally_magnum_scale.in_bay.stats import windows
from rally_magnum_scale.in_bay.stats.histogram import Histogram
from rally_magnum_scale.in_bay.stats.windows import Part
from rally_magnum_scale.in_bay.stats.windows import Window


def make(**changes):
    values = {
        "second": 100,
        "phase": "steady",
        "step": 1,
        "workers": 1,
        "requests": 3,
        "failures": {"timeout": 1},
        "latency_us": Histogram.from_values_us({10: 2, 5000: 1}),
        "service_us": Histogram.from_values_us({9: 3}),
        "schedule_lag_us": Histogram.from_values_us({1: 4}),
        "cpu_ratio_max": 0.25,
        "busy_ratio_max": 0.125,
        "loop_delay_max_us": 40,
        "cpu_s": 0.2,
    }
    return Window(**{**values, **changes})


def carried(step=1, phase="ramp", requests=1, **failures):
    times = Histogram.from_values_us({10: requests})
    served = Histogram.from_values_us({9: requests})
    return Part(step, phase, requests, failures, times, served)


def test_merge_adds_counts_and_keeps_the_busiest_cpu():
    both = windows.merge(
        [
            make(loop_delay_max_us=7000),
            make(failures={"reset": 2}, cpu_ratio_max=0.75),
            make(busy_ratio_max=0.5, requests=0, cpu_s=0.0),
        ]
    )
    assert both.workers == 3
    assert both.requests == 6
    assert both.failures == {"timeout": 2, "reset": 2}
    assert both.failed == 4
    assert both.latency_us.counts == {10: 6, 5000: 3}
    assert both.service_us.total == 9
    assert both.schedule_lag_us.total == 12
    assert both.cpu_ratio_max == 0.75
    assert both.busy_ratio_max == 0.5
    assert both.loop_delay_max_us == 7000
    assert both.cpu_s == 0.4


def test_a_window_of_before_counts_its_cpu_time_as_busy():
    data = make().to_json()
    del data["busy_ratio_max"]
    assert Window.from_json(data).busy_ratio_max == 0.25


def test_cpu_seconds_that_one_worker_did_not_tell_are_no_sum():
    assert windows.merge([make(), make(cpu_s=None)]).cpu_s is None
    data = make().to_json()
    del data["cpu_s"]
    assert Window.from_json(data).cpu_s is None


@pytest.mark.parametrize(
    "change", [{"second": 101}, {"phase": "ramp"}, {"step": 2}]
)
def test_only_one_second_is_merged(change):
    with pytest.raises(ValueError, match="one second"):
        windows.merge([make(), make(**change)])


def test_packed_windows_merge_as_plain_ones_do():
    parts = [
        make(),
        make(failures={"reset": 2}, cpu_ratio_max=0.75),
        make(latency_us=Histogram.from_values_us({70_000: 3}), requests=9),
    ]
    merger = windows.Merger()
    for one in parts:
        merger.add(one.packed())
    assert merger.window() == windows.merge(parts)


def test_what_was_due_earlier_is_merged_by_its_step_and_phase():
    parts = [
        make(carried=(carried(1, "steady", timeout=1), carried(1, "ramp"))),
        make(),
        make(carried=(carried(1, "ramp", 2), carried(2, "ramp", reset=3))),
    ]
    merger = windows.Merger()
    for one in parts:
        merger.add(one.packed())
    merged = merger.window()
    assert [(p.step, p.phase, p.requests) for p in merged.carried] == [
        (1, "ramp", 3),
        (1, "steady", 1),
        (2, "ramp", 1),
    ]
    assert [dict(p.failures) for p in merged.carried] == [
        {},
        {"timeout": 1},
        {"reset": 3},
    ]
    assert merged.carried[0].latency_us.counts == {10: 3}
    assert merged.carried[0].service_us.counts == {9: 3}
    assert merged == windows.merge(parts)
    read = Window.from_json(json.loads(json.dumps(merged.to_json())))
    assert read.carried == merged.carried


def test_requests_due_earlier_are_not_current():
    one = make(
        failures={"timeout": 2, "reset": 1},
        carried=(carried(1, "ramp", timeout=1), carried(1, "steady", reset=1)),
    )
    current = one.current
    assert (current.step, current.phase, current.requests) == (1, "steady", 1)
    assert current.failures == {"timeout": 1}
    assert current.latency_us.counts == {5000: 1}
    assert current.service_us.counts == {9: 1}


def test_all_requests_of_a_second_may_have_been_due_earlier():
    one = make(
        latency_us=Histogram.from_values_us({10: 3}),
        carried=(carried(requests=3, timeout=1),),
    )
    assert (one.current.requests, one.current.failures) == (0, {})
    assert one.current.latency_us == one.current.service_us == Histogram()


@pytest.mark.parametrize(
    "part", [carried(requests=4), carried(timeout=2), carried(reset=1)]
)
def test_a_window_with_more_carried_requests_than_its_own_is_refused(part):
    with pytest.raises(ValueError, match="second 100 has fewer requests"):
        make(carried=(part,)).current  # noqa: B018


def test_what_was_due_in_a_phase_may_end_in_any_window():
    seen = [
        make(second=99, phase="ramp"),
        make(second=100, carried=(carried(1, "ramp"),)),
        make(second=101, step=2, carried=(carried(1, "ramp", 2, reset=1),)),
    ]
    seen[2] = dataclasses.replace(seen[2], failures={"reset": 1})
    found = windows.due_in(seen, 1, "ramp")
    assert [one.requests for one in found] == [3, 1, 2]
    assert [dict(one.failures) for one in found] == [
        {"timeout": 1},
        {},
        {"reset": 1},
    ]
    assert [one.requests for one in windows.due_in(seen, 1, "steady")] == [2]
    assert windows.due_in(seen, 3, "steady") == []


def test_a_record_is_rounded_to_what_can_be_known():
    written = make(
        cpu_ratio_max=0.123456, busy_ratio_max=0.98767, cpu_s=0.12345678
    ).to_json()
    assert written["cpu_ratio_max"] == 0.1235
    assert written["busy_ratio_max"] == 0.9877
    assert written["cpu_s"] == 0.123457


def test_failed_connects_are_added_up_and_told_where_there_were_any():
    parts = [make(connect_failures={"refused": 2}), make()]
    merger = windows.Merger()
    for one in parts:
        merger.add(one.packed())
    assert merger.window().connect_failures == {"refused": 2}
    assert "connect_failures" not in make().to_json()
    written = merger.window().to_json()
    assert Window.from_json(written) == windows.merge(parts)


def test_a_window_shows_no_work_that_was_not_measured():
    bare = Window(100, "steady", 1, 1, 0)
    assert (bare.cpu_ratio_max, bare.busy_ratio_max) == (0.0, 0.0)
    assert (bare.loop_delay_max_us, bare.cpu_s) == (0, None)


@pytest.mark.parametrize(
    ("timeout_s", "seconds"), [(10, 11), (10.0, 11), (10.01, 12), (0.5, 2)]
)
def test_a_request_that_hangs_has_failed_a_second_after_its_time_out(
    timeout_s, seconds
):
    assert windows.seconds_to_fail(timeout_s) == seconds


def test_a_closed_loop_sends_its_times_once():
    times = Histogram.from_values_us({900: 5})
    closed = make(latency_us=times, service_us=times)
    assert closed.packed()["latency_us"] is None
    assert make().packed()["latency_us"] is not None
    merger = windows.Merger()
    for one in (make(latency_us=times, service_us=times), make()):
        merger.add(one.packed())
    merged = merger.window()
    assert merged.latency_us.counts == {10: 2, 900: 5, 5000: 1}
    assert merged.service_us.counts == {9: 3, 900: 5}


def test_a_merger_takes_one_second_and_whole_windows_only():
    merger = windows.Merger()
    merger.add(make().packed())
    merger.add(make(second=101).packed())
    with pytest.raises(ValueError, match="one second"):
        merger.window()
    with pytest.raises(ValueError, match="one second"):
        windows.Merger().window()
    for broken in ({"phase": "lunch"}, {"service_us": b"no zlib"}):
        with pytest.raises(ValueError):
            windows.Merger().add({**make().packed(), **broken})


def test_nothing_can_not_be_merged():
    with pytest.raises(ValueError, match="one second"):
        windows.merge([])


def test_json_brings_it_back_also_from_inside_a_record():
    one = make()
    text = json.dumps({"record": "window", "bay": "b", **one.to_json()})
    assert Window.from_json(json.loads(text)) == one


@pytest.mark.parametrize(
    "broken",
    [
        {"phase": "lunch"},
        {"second": []},
        {"failures": None},
        {"latency_us": {"x": 1}},
        {"versions": {"1": "many"}},
        {"versions": ["1"]},
    ],
)
def test_what_is_no_window_is_refused(broken):
    with pytest.raises(ValueError):
        Window.from_json({**make().to_json(), **broken})


def test_versions_are_added_up_by_worker_and_brought_back_from_json():
    parts = [
        make(versions={"1": 2, "": 1}, cpu_s=None),
        make(versions={"2": 1, "1": 2}),
        make(requests=0),
    ]
    merger = windows.Merger()
    for one in parts:
        merger.add(one.packed())
    merged = merger.window()
    assert merged.versions == {"1": 4, "2": 1, "": 1}
    assert merged == windows.merge(parts)
    assert sum(merged.versions.values()) == merged.requests
    assert Window.from_json(json.loads(json.dumps(merged.to_json()))) == merged


def test_a_record_names_no_versions_where_none_were_counted():
    one = make()
    assert "versions" not in {**one.to_json(), **one.packed()}
    assert Window.from_json(one.to_json()).versions == {}


def test_a_missing_key_is_named():
    data = make().to_json()
    del data["requests"]
    with pytest.raises(ValueError, match="requests"):
        Window.from_json(data)

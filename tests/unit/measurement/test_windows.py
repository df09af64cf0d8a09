import json

import pytest

from rally_magnum_scale.in_bay.stats import windows
from rally_magnum_scale.in_bay.stats.histogram import Histogram
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


@pytest.mark.parametrize("change", [{"second": 101}, {"phase": "ramp"}])
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


def test_a_closed_loop_sends_its_times_once():
    times = Histogram.from_values_us({900: 5})
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

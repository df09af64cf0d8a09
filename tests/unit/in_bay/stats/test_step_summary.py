import dataclasses

import pytest

from rally_magnum_scale.in_bay.stats import cpu_time
from rally_magnum_scale.in_bay.stats import step_summary
from rally_magnum_scale.in_bay.stats.histogram import Histogram
from rally_magnum_scale.in_bay.stats.windows import Part
from rally_magnum_scale.in_bay.stats.windows import Window
from tests.unit import factories

PLAN = factories.plan(10, 20, duration_s=2, ramp_s=1)
PHASES = ["ramp", "steady", "steady"] * 2


def window(second, **changes):
    """Ten answers of 1 ms and one failure in each second."""
    values = {
        "second": second,
        "phase": PHASES[second],
        "step": second // 3 + 1,
        "workers": 2,
        "requests": 10,
        "failures": {"timeout": 1},
        "latency_us": Histogram.from_values_us({1000: 10}),
        "service_us": Histogram.from_values_us({500: 10}),
        "schedule_lag_us": Histogram.from_values_us({10: 11}),
        "busy_ratio_max": 0.5,
    }
    return Window(**{**values, **changes})


def summarise(seen, end="told", cores_pods=4.0, cores_real_nodes=8.0):
    return step_summary.summarise(
        PLAN,
        seen,
        factories.end(seen) if end == "told" else end,
        cores_pods=cores_pods,
        cores_real_nodes=cores_real_nodes,
    )


ALL = [window(second) for second in range(6)]


def changed(second, **changes):
    new = dataclasses.replace(ALL[second], **changes)
    return [*ALL[:second], new, *ALL[second + 1 :]]


def test_the_rate_is_responses_per_steady_second():
    seen = changed(0, requests=9_999)  # a ramp: must not show
    first, second = summarise(seen)
    assert (first.step, second.step) == (1, 2)
    assert (first.offered_rps, second.offered_rps) == (10, 20)
    assert first.requests == 20
    assert first.achieved_rps == 10.0
    assert first.failures == {"timeout": 2}
    assert first.error_ratio == 2 / 22
    assert (first.rps_per_core, first.rps_per_core_real_nodes) == (2.5, 1.25)
    assert first.valid
    assert second.valid


def test_percentiles_are_read_from_merged_histograms():
    slow = Histogram.from_values_us({1_000_000: 1})
    first, second = summarise(changed(1, latency_us=slow))
    assert first.latency_us["p50"] == 1000
    assert first.answered_latency_us["p90"] == 1000
    assert first.answered_latency_us["max"] >= 1_000_000
    assert second.answered_latency_us["max"] == 1000
    assert first.service_us["max"] == 500


def test_each_percentile_has_the_name_of_its_share():
    every = Histogram.from_values_us(dict.fromkeys(range(1, 1001), 1))
    assert step_summary.percentiles([every]) == {
        "p50": 500,
        "p90": 900,
        "p99": 990,
        "p99_9": 999,
        "max": 1000,
    }


def test_a_failed_request_is_slower_than_any_response():
    first, _ = summarise(ALL)
    # Two of twenty-two requests failed.
    assert first.answered_latency_us["max"] == 1000
    assert first.latency_us["p90"] == 1000
    assert first.latency_us["p99"] is first.latency_us["max"] is None
    assert first.slowest == "> 10 s (timed out)"


def test_requests_that_are_unaccounted_for_invalidate_the_step():
    told = factories.end(ALL)
    for due in (21, 23):
        end = dataclasses.replace(told, due=[due, 22])
        first, second = summarise(ALL, end)
        assert first.reasons == [
            f"{due} requests were due, but 20 were answered as expected and 2 "
            "failed, which makes 22"
        ]
        assert second.valid
    unknown = dataclasses.replace(told, due=[])
    for step in summarise(ALL, unknown):
        assert "did not report how many requests were due" in step.reasons[0]


@pytest.mark.parametrize(
    ("changes", "counted", "reason"),
    [
        ({}, 60, None),
        ({}, 66, None),
        (
            {},
            59,
            "60 requests were answered and 6 failed, but the targets have "
            "counted 59",
        ),
        (
            {},
            67,
            "60 requests were answered and 6 failed, but the targets have "
            "counted 67",
        ),
        (
            {"failures": {"unsent": 6}},
            61,
            "60 requests were answered, but the targets have counted 61",
        ),
        (
            {"requests": 61},
            None,
            "the windows hold 60 answers, but 61 were counted",
        ),
        ({"workers_connected": 1}, None, "1 of 2 workers did not connect"),
        ({"workers_connected": 3}, None, None),
        # The load has said what became of its workers.
        (
            {"workers_connected": 1, "reasons": ["a worker died"]},
            None,
            "a worker died",
        ),
    ],
)
def test_counts_that_differ_invalidate_the_run(changes, counted, reason):
    end = factories.end(ALL)
    told = {"failures": {"timeout": 6}, **changes}
    for step in step_summary.summarise(
        PLAN,
        ALL,
        dataclasses.replace(end, **told),
        cores_pods=None,
        cores_real_nodes=None,
        counted_by_targets=counted,
    ):
        assert step.reasons == ([] if reason is None else [reason])


def test_requests_outside_all_steps_invalidate_the_run():
    stray = dataclasses.replace(ALL[5], second=6, phase="stop")
    seen = [*ALL, stray]
    for step in summarise(seen):
        assert step.reasons == ["11 requests belong to no step"]


def test_an_unknown_generator_lag_invalidates_the_step():
    first, second = summarise(
        [dataclasses.replace(one, schedule_lag_us=Histogram()) for one in ALL]
    )
    assert "did not report how late it sent" in first.reasons[0]
    closed = factories.plan(None, duration_s=2, ramp_s=1)
    (step,) = step_summary.summarise(
        closed,
        [
            dataclasses.replace(one, schedule_lag_us=Histogram())
            for one in ALL[:3]
        ],
        factories.end(ALL[:3]),
        cores_pods=None,
        cores_real_nodes=None,
    )
    assert step.valid


def test_responses_to_requests_of_a_ramp_do_not_raise_the_rate():
    own = window(1)
    late = Part(1, "ramp", 500, {}, own.latency_us, own.service_us)
    seen = changed(
        1,
        requests=510,
        latency_us=Histogram.from_values_us({1000: 20}),
        service_us=Histogram.from_values_us({500: 20}),
        carried=(late,),
    )
    first, _ = summarise(seen)
    assert (first.requests, first.answered) == (20, 20)
    # One that came late is made up for by one that was due in the ramp.
    later = dataclasses.replace(
        ALL[4],
        requests=12,
        carried=(
            Part(
                1, "steady", 2, {}, Histogram({1000: 2}), Histogram({500: 2})
            ),
        ),
    )
    seen = [*seen[:4], later, *seen[5:]]
    first, second = summarise(seen)
    assert (first.requests, first.answered) == (22, 22)
    assert second.requests == 20


def test_responses_after_the_end_count_in_the_last_step_except_its_rate():
    slow = Histogram.from_values_us({900_000: 5})
    stop = Window(
        second=6,
        phase="stop",
        step=2,
        workers=1,
        requests=5,
        failures={"unsent": 3},
        latency_us=slow,
        service_us=slow,
        carried=(Part(2, "steady", 5, {"unsent": 3}, slow, slow),),
        schedule_lag_us=Histogram.from_values_us({900_000: 5}),
        busy_ratio_max=1.0,
    )
    first, last = summarise([*ALL, stop])
    assert first == summarise(ALL)[0]
    assert last.valid
    assert (last.requests, last.achieved_rps) == (20, 10.0)
    assert last.failures == {"timeout": 2, "unsent": 3}
    assert last.error_ratio == 5 / 30
    assert (last.due, last.answered) == (30, 25)
    assert last.latency_us["p50"] == 1000
    assert last.answered_latency_us["p90"] >= 850_000
    assert last.service_us["p90"] >= 850_000
    assert last.schedule_lag_p99_us < 1000


def test_a_step_without_requests_has_no_ratio_and_no_percentiles():
    seen = [
        dataclasses.replace(
            one, requests=0, failures={}, latency_us=Histogram()
        )
        for one in ALL
    ]
    first, _ = summarise(seen)
    assert first.achieved_rps == 0
    assert first.error_ratio is None
    assert set(first.latency_us.values()) == {None}


def test_a_step_without_known_cores_has_no_rate_per_core():
    first, _ = summarise(ALL, cores_pods=None, cores_real_nodes=None)
    assert first.rps_per_core is None
    assert first.rps_per_core_real_nodes is None


@pytest.mark.parametrize(
    ("seen", "end", "reason"),
    [
        (ALL, None, "the records of the load end too early"),
        (ALL, factories.end(ALL, ["clocks disagree"]), "clocks disagree"),
        (ALL[:-1], factories.end(ALL), "5 windows were read, but 6"),
    ],
)
def test_a_fault_of_the_run_invalidates_every_step(seen, end, reason):
    for step in summarise(seen, end):
        assert not step.valid
        assert any(reason in one for one in step.reasons)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"workers": 1}, "in one only 1 of 2"),
        ({"phase": "ramp"}, "1 of 2 steady windows are there"),
        (
            {"schedule_lag_us": Histogram.from_values_us({20_000: 50})},
            "the load generator was the limit: it sent 1 % of its requests",
        ),
    ],
)
def test_a_fault_of_a_step_invalidates_only_that_step(changes, reason):
    first, second = summarise(changed(4, **changes))
    assert first.valid
    assert any(reason in one for one in second.reasons)


LATE = (
    "the load generator was the limit: it sent 1 % of its requests {} ms late "
    "or later"
)
STOOD_STILL = (
    "the load generator stalled: it sent a request {} ms late although a "
    "connection was idle"
)
BUSY = (
    "the load generator was the limit: its busiest process was {} busy or "
    "more in half of the windows"
)
LOOP_LATE = (
    "the load generator was the limit: its event loop was {} ms late or more "
    "in half of the windows"
)
LOOP_STOOD_STILL = "the load generator stalled: its event loop was {} ms late"


# The buckets of a histogram that matter here end at 9.999, 10.007, 499.711,
# 500.223 and 4,001.791 ms.
@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({"schedule_lag_us": {9_999: 100}}, []),
        ({"schedule_lag_us": {10_000: 100}}, [LATE.format("10.0")]),
        ({"schedule_lag_us": {10: 99, 20_000: 1}}, []),
        (
            {"schedule_lag_us": {10: 98, 20_000: 2}},
            [LATE.format("20.0")],
        ),
        ({"schedule_lag_us": {10: 1000, 499_700: 1}}, []),
        (
            {"schedule_lag_us": {10: 1000, 500_000: 1}},
            [STOOD_STILL.format(500)],
        ),
        (
            {"schedule_lag_us": {4_000_000: 1}},
            [LATE.format("4001.8"), STOOD_STILL.format(4002)],
        ),
        ({"busy_ratio_max": 0.95}, []),
        ({"busy_ratio_max": 0.951}, [BUSY.format("95%")]),
        ({"loop_delay_max_us": 100_000}, []),
        ({"loop_delay_max_us": 100_001}, [LOOP_LATE.format(100)]),
        (
            {"loop_delay_max_us": 4_000_000},
            [LOOP_STOOD_STILL.format(4000), LOOP_LATE.format(4000)],
        ),
    ],
)
def test_a_generator_lag_above_the_limit_invalidates_the_step(
    changes, reasons
):
    if lag := changes.get("schedule_lag_us"):
        changes = {"schedule_lag_us": Histogram.from_values_us(lag)}
    seen = [dataclasses.replace(one, **changes) for one in ALL]
    for step in summarise(seen):
        assert step.reasons == reasons


def test_the_lag_of_a_step_is_its_99th_percentile():
    lag = Histogram.from_values_us(dict.fromkeys(range(1, 101), 1))
    first, _ = summarise(
        [dataclasses.replace(one, schedule_lag_us=lag) for one in ALL]
    )
    assert first.schedule_lag_p99_us == 99


@pytest.mark.parametrize(
    ("delay_us", "reasons"),
    [(500_000, []), (500_001, [LOOP_STOOD_STILL.format(500)])],
)
def test_a_standstill_above_the_limit_invalidates_the_step(delay_us, reasons):
    late = dataclasses.replace(CALM[5], loop_delay_max_us=delay_us)
    assert during(late).reasons == reasons


def test_a_step_without_windows_has_no_reasons_about_the_generator():
    first, second = summarise(ALL[:3], factories.end(ALL))
    assert first.reasons == ["3 windows were read, but 6 were written"]
    assert second.reasons[1:] == [
        "0 of 2 steady windows are there",
        "22 requests were due, but 0 were answered as expected and 0 failed, "
        "which makes 0",
    ]


def test_a_generator_without_spare_cpu_time_invalidates_the_step():
    busy = [dataclasses.replace(one, busy_ratio_max=0.99) for one in ALL]
    first, _ = summarise(busy)
    assert "99% busy" in first.reasons[0]
    # One busy second is no limit.
    assert all(one.valid for one in summarise(changed(1, busy_ratio_max=1.0)))


def test_cpu_time_spent_on_busy_waiting_is_no_overload():
    waiting = [dataclasses.replace(one, cpu_ratio_max=0.99) for one in ALL]
    assert all(one.valid for one in summarise(waiting))


def test_a_slow_event_loop_invalidates_the_step():
    late = [dataclasses.replace(one, loop_delay_max_us=150_000) for one in ALL]
    for step in summarise(late):
        assert step.reasons == [
            "the load generator was the limit: its event loop was 150 ms "
            "late or more in half of the windows"
        ]
    # One late second is no limit, unless it stood still.
    for step in summarise(changed(1, loop_delay_max_us=150_000)):
        assert step.valid
    first, second = summarise(changed(1, loop_delay_max_us=700_000))
    assert first.reasons[0].endswith("its event loop was 700 ms late")
    assert second.valid


def test_a_closed_loop_offers_nothing_and_is_never_late():
    plan = factories.plan(None, duration_s=2, ramp_s=1)
    seen = [
        dataclasses.replace(one, schedule_lag_us=Histogram())
        for one in ALL[:3]
    ]
    (step,) = step_summary.summarise(
        plan,
        seen,
        factories.end(seen),
        cores_pods=1.0,
        cores_real_nodes=None,
    )
    assert step.offered_rps is None
    assert step.schedule_lag_p99_us is None
    assert step.valid


@pytest.mark.parametrize("due", [[], [None]])
def test_a_request_of_a_closed_loop_is_due_when_it_is_sent(due):
    seen = ALL[:3]
    end = dataclasses.replace(factories.end(seen), due=due)
    (step,) = step_summary.summarise(
        factories.plan(None, duration_s=2, ramp_s=1),
        seen,
        end,
        cores_pods=None,
        cores_real_nodes=None,
    )
    assert step.due == 22
    assert step.valid


def test_a_generator_that_stood_still_invalidates_the_step():
    late = Histogram.from_values_us({10: 10_000, 1_000_000: 1})
    _, second = summarise(changed(4, schedule_lag_us=late))
    assert any("stalled" in one for one in second.reasons)


USED = [dataclasses.replace(one, cpu_s=0.25) for one in ALL]


# A load of 40 seconds, and an update from 3.2 to 9.0 s of it.
CALM = [
    dataclasses.replace(ALL[1], second=second, failures={})
    for second in range(40)
]


def during(*others, timeout_s=10, start_s=3.2, end_s=9.0):
    """Sum up the update, some windows of the load being others."""
    by_second = {one.second: one for one in (*CALM, *others)}
    seen = list(by_second.values())
    return step_summary.during(
        start_s,
        end_s,
        (1, PLAN.steps[0]),
        seen,
        factories.end(seen),
        timeout_s=timeout_s,
        cores_pods=4.0,
        cores_real_nodes=8.0,
    )


def test_an_event_covers_the_whole_seconds_around_it():
    calm = during()
    assert (calm.steady_s, calm.requests, calm.achieved_rps) == (6, 60, 10.0)
    assert (calm.error_ratio, calm.failures) == (0.0, {})
    assert calm.latency_us["max"] == 1000
    assert calm.valid
    edges = [
        dataclasses.replace(CALM[second], failures={"reset": 1})
        for second in (2, 3, 8)
    ]
    assert during(*edges).failures == {"reset": 2}


@pytest.mark.parametrize(
    ("start_s", "end_s", "seconds"),
    [(3.0, 3.0, 1), (3.0, 4.0, 1), (3.9, 4.1, 2), (3.0, 4.1, 2)],
)
def test_an_event_takes_at_least_a_second_and_only_whole_ones(
    start_s, end_s, seconds
):
    found = during(start_s=start_s, end_s=end_s)
    assert found.steady_s == seconds
    assert found.requests == 10 * seconds
    assert found.valid


@pytest.mark.parametrize("load_s", [8, 9])
def test_an_event_that_the_load_did_not_outlast_is_invalid(load_s):
    stopped = [
        dataclasses.replace(one, phase="stop", requests=0)
        for one in CALM[load_s:]
    ]
    found = during(*stopped)
    assert found.reasons == (
        []
        if load_s == 9
        else [
            "the load ran for 5 of the 6 seconds of the event: use a longer "
            "step"
        ]
    )


def test_requests_that_time_out_after_an_event_belong_to_it():
    hung = dataclasses.replace(CALM[13], failures={"timeout": 50})
    found = during(hung)
    assert found.failures == {"timeout": 50}
    # The answers after the event do not dilute it.
    assert found.error_ratio == 50 / 110
    assert (found.requests, found.achieved_rps) == (60, 10.0)


@pytest.mark.parametrize(
    ("second", "timeout_s", "failed"),
    [(9, 10, 5), (19, 10, 5), (20, 10, 0), (19, 9.5, 5), (20, 9.5, 0)],
)
def test_failures_count_until_the_last_timeout_of_an_event(
    second, timeout_s, failed
):
    late = dataclasses.replace(CALM[second], failures={"timeout": 5})
    found = during(late, timeout_s=timeout_s)
    assert sum(found.failures.values()) == failed


def test_nothing_that_ends_in_an_event_counts_twice():
    inside = dataclasses.replace(CALM[8], failures={"timeout": 5})
    after = dataclasses.replace(CALM[9], failures={"timeout": 2, "reset": 1})
    found = during(inside, after)
    assert found.failures == {"timeout": 7, "reset": 1}
    assert found.error_ratio == 8 / 68


@pytest.mark.parametrize(
    ("second", "slow"),
    # What ends in the 13th second and took 5 s was due in the 8th.
    [(12, 4_100_000), (9, 1_100_000), (30, 22_100_000)],
)
def test_responses_to_requests_due_in_an_event_belong_to_it(second, slow):
    times = Histogram.from_values_us({900_000: 10, slow: 40})
    late = dataclasses.replace(
        CALM[second],
        requests=50,
        latency_us=times,
        service_us=times,
        failures={"reset": 10} if second < 20 else {},
    )
    found = during(late)
    assert found.latency_us["p50"] == 1000
    assert found.latency_us["p90"] >= slow
    assert found.service_us["max"] >= slow
    assert (found.requests, found.achieved_rps) == (60, 10.0)
    if second < 20:
        assert found.error_ratio == 10 / 110


@pytest.mark.parametrize(
    ("second", "slow"), [(9, 990_000), (12, 3_990_000), (30, 21_990_000)]
)
def test_responses_to_requests_due_after_an_event_do_not_belong_to_it(
    second, slow
):
    times = Histogram.from_values_us({slow: 40})
    late = dataclasses.replace(
        CALM[second], requests=40, latency_us=times, service_us=times
    )
    assert during(late) == during()


def test_a_late_generator_after_an_event_does_not_invalidate_it():
    late = [
        dataclasses.replace(
            CALM[second],
            schedule_lag_us=Histogram.from_values_us({900_000: 50}),
            busy_ratio_max=1.0,
            loop_delay_max_us=900_000,
        )
        for second in range(9, 20)
    ]
    assert during(*late) == during()


def counters(used_per_s, *, targets=2, missing=""):
    """Counters that were read half a second into each second."""

    def readings(per_s):
        return [
            cpu_time.Reading(half + 0.5, 7 + per_s * (half + 0.5))
            for half in range(6)
        ]

    return cpu_time.CpuCounters(
        {f"t-{number}": readings(used_per_s) for number in range(targets)},
        {"n1": readings(4 * used_per_s)},
        missing,
    )


def with_cpu(seen, cpu, plan=PLAN):
    return step_summary.summarise(
        plan,
        seen,
        factories.end(seen),
        cores_pods=4.0,
        cores_real_nodes=8.0,
        cores_of={"targets": 1.0, "generators": 2.5},
        cpu=cpu,
    )


def test_requests_are_divided_by_the_cpu_seconds_of_each_side():
    first, _ = with_cpu(USED, counters(0.5))
    assert first.cpu_s == {
        "targets": pytest.approx(2.0),
        "generators": pytest.approx(0.5),
        "pods": pytest.approx(2.5),
        "nodes": pytest.approx(4.0),
    }
    assert first.requests_per_cpu_s == {
        "targets": pytest.approx(10.0),
        "generators": pytest.approx(40.0),
        "pods": pytest.approx(8.0),
        "nodes": pytest.approx(5.0),
    }
    assert first.rps_per_core_of == {"targets": 10.0, "generators": 4.0}
    assert (first.cpu_missing, first.cpu_outside_ratio) == ("", 0.0)
    # From half a second into the first to half a second into the last.
    assert first.cpu_covered_ratio == 0.5
    # What is used is told, not judged.
    assert first.valid


def test_without_counters_only_the_generators_cpu_time_is_known():
    first, _ = summarise(USED)
    assert first.cpu_s["generators"] == 0.5
    assert first.requests_per_cpu_s["generators"] == 40.0
    for name in ("targets", "pods", "nodes"):
        assert first.cpu_s[name] is None
        assert first.requests_per_cpu_s[name] is None
    assert first.cpu_missing == "the nodes' counters were not read"
    assert first.cpu_outside_ratio is None


@pytest.mark.parametrize(
    ("cpu", "why"),
    [
        (counters(0.5, missing="n1 refused"), "n1 refused"),
        (counters(0.5), "too rarely for 2 steady seconds"),
    ],
)
def test_one_target_without_readings_leaves_the_sum_unknown(cpu, why):
    silent = dataclasses.replace(cpu, targets={**cpu.targets, "t-9": []})
    first, _ = with_cpu(USED, silent)
    assert first.cpu_s["targets"] is None
    assert first.cpu_s["nodes"] == pytest.approx(4.0)
    assert why in first.cpu_missing


def test_a_worker_without_cpu_time_leaves_the_sum_unknown():
    untold = [*USED[:1], dataclasses.replace(USED[1], cpu_s=None), *USED[2:]]
    for seen in (untold, [USED[0], *USED[2:]]):
        first, second = with_cpu(seen, counters(0.5))
        assert first.cpu_s["generators"] is None
        assert first.requests_per_cpu_s["pods"] is None
        assert first.cpu_missing.startswith("the workers did not report")
        assert second.cpu_s["generators"] == 0.5


def test_targets_without_cpu_time_have_no_requests_per_cpu_second():
    first, _ = with_cpu(USED, counters(0.0))
    assert first.cpu_s["targets"] == 0.0
    assert first.requests_per_cpu_s["targets"] is None

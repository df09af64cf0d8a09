"""What a workload measured, read through the code of the verdicts."""

import dataclasses

from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.measurement import metrics
from rally_magnum_scale.measurement import verdicts
from tests.unit import factories


def read(*runs):
    return {one.name: one for one in metrics.read(runs)}


def test_a_metric_is_what_a_verdict_is_formed_on():
    run = factories.run()
    for name, metric in read(run).items():
        if metric.place.startswith("step"):
            step = int(metric.place.removeprefix("step "))
            config = {metric.bound_key: 1, "step": step}
        else:
            config = {metric.bound_key: 1}
        (judged,) = verdicts.judge(metric.criterion, config, run)
        assert (judged.value, judged.unit, judged.at_least) == (
            metric.value,
            metric.unit,
            metric.at_least,
        ), name


def test_every_step_has_its_own_figures():
    names = set(read(factories.run()))
    steps = {"request_latency.p99_ms step 1", "request_latency.p99_ms step 2"}
    assert steps <= names
    assert "request_latency.p99_ms step 3" not in names
    assert {"bay_create_time.max_s", "bay_delete_time.max_s"} <= names


def test_a_criterion_that_is_not_compared_has_no_metric():
    bay = factories.bay(openstack_errors={"Magnum: 503": 1})
    run = dataclasses.replace(factories.run(), bays=(bay,))
    (judged,) = verdicts.judge("api_errors", {"max": 0}, run)
    assert judged.value == 1
    assert not any(name.startswith("api_errors") for name in read(run))


def test_what_was_not_measured_is_left_out():
    assert read(records.Run()) == {}
    names = read(records.Run(bays=(factories.bay(delete_s=None),)))
    assert "bay_create_time.max_s" in names
    assert "bay_delete_time.max_s" not in names


def test_what_is_no_number_is_left_out():
    bays = (factories.bay(create_s=float("nan")),)
    assert "bay_create_time.max_s" not in read(records.Run(bays=bays))


def test_the_median_of_iterations_and_bays_is_kept():
    def run(*seconds):
        bays = (factories.bay(create_s=s, name=f"bay-{s}") for s in seconds)
        return records.Run(bays=tuple(bays))

    found = read(run(10.0, 30.0), run(12.0))
    assert found["bay_create_time.max_s"].value == 12.0


def test_what_does_not_count_is_kept_with_its_reason():
    good = factories.run()
    step, *rest = good.throughput.steps
    late = dataclasses.replace(step, reasons=["the generator was late"])
    load = dataclasses.replace(good.throughput, steps=[late, *rest])
    bad = dataclasses.replace(good, throughput=load)
    name = "request_rate.min_rps step 1"
    assert read(bad)[name].reason == "the generator was late"
    assert read(bad)["request_rate.min_rps step 2"].reason == ""


def test_what_does_not_count_in_one_iteration_does_not_count():
    good = factories.run()
    step, *rest = good.throughput.steps
    late = dataclasses.replace(
        step, achieved_rps=1.0, reasons=["the generator was late"]
    )
    load = dataclasses.replace(good.throughput, steps=[late, *rest])
    bad = dataclasses.replace(good, throughput=load)
    for runs in ((bad, good, good), (good, bad, good), (good, good, bad)):
        found = read(*runs)["request_rate.min_rps step 1"]
        assert found.reason == "the generator was late"
        assert found.value == step.achieved_rps


def test_what_not_every_iteration_measured_does_not_count():
    one = records.Run(bays=(factories.bay(),))
    other = records.Run(bays=(factories.bay(delete_s=None),))
    found = read(one, other, records.Run())
    assert found["bay_delete_time.max_s"].reason == (
        "only 1 of 3 iterations measured it"
    )
    assert found["bay_create_time.max_s"].reason == (
        "only 2 of 3 iterations measured it"
    )
    assert read(one, one)["bay_delete_time.max_s"].reason == ""


def test_of_a_search_the_highest_rate_counts_and_no_step():
    found = read(factories.searched(step=7))
    assert found["max_rate.min_rps"].value == 9_800.0
    assert not [name for name in found if "step" in name]


def test_a_metric_survives_json():
    for metric in metrics.read([factories.run()]):
        assert metrics.Metric.from_json(metric.to_json()) == metric

import itertools

import pytest
from rally.task import sla

from rally_magnum_scale.measurement import records
from rally_magnum_scale.task import output
from rally_magnum_scale.task.sla import criteria

SOURCE = records.Source("task", 1, "bay")


def step(rps=1000.0, p99=2000, errors=0.0, reasons=()):
    return records.StepResult(
        step=1,
        offered_rps=1000,
        steady_s=10,
        requests=int(rps * 10),
        failures={},
        achieved_rps=rps,
        error_ratio=errors,
        latency_us={"p50": 1000, "p99": p99, "max": p99},
        service_us={},
        schedule_lag_p99_us=10,
        rps_per_core=rps / 4,
        rps_per_core_real_nodes=rps / 2,
        reasons=list(reasons),
    )


def iteration(*steps, number=1, create_s=10.0, delete_s=3.0, error=()):
    source = records.Source("task", number, "bay")
    bay = records.Bay(
        uuid="u", template="t", nodes=2, create_s=create_s, delete_s=delete_s
    )
    found = [source.envelope("bay", bay.to_json())]
    if steps:
        load = records.Throughput(1, 1, 2.0, 2.0, list(steps))
        found.append(source.envelope("throughput", load.to_json()))
    return {
        "error": list(error),
        "output": {
            "additive": [],
            "complete": [output.records_output(found)],
        },
    }


NOTHING = {"error": ["E", "m"], "output": {"additive": [], "complete": []}}

# criterion, configuration, an iteration that holds, one that does not
CASES = [
    (
        "request_rate",
        {"min_rps": 990, "min_rps_per_core": 495},
        iteration(step()),
        iteration(step(rps=980)),
    ),
    (
        "request_latency",
        {"p99_ms": 2.5},
        iteration(step()),
        iteration(step(p99=2501)),
    ),
    (
        "request_errors",
        {"max_ratio": 0},
        iteration(step()),
        iteration(step(errors=0.0001)),
    ),
    (
        "bay_create_time",
        {"max_s": 20},
        iteration(),
        iteration(create_s=20.1),
    ),
    (
        "bay_delete_time",
        {"max_s": 5},
        iteration(),
        iteration(delete_s=5.1),
    ),
]
IDS = [case[0] for case in CASES]


def make(name, config):
    return sla.SLA.get(name)(config)


@pytest.mark.parametrize(("name", "config", "good", "bad"), CASES, ids=IDS)
def test_a_criterion_holds_and_fails(name, config, good, bad):
    holding, failing = make(name, config), make(name, config)
    assert holding.add_iteration(good)
    assert holding.result()["success"], holding.details()
    assert not failing.add_iteration(bad)
    assert not failing.result()["success"], failing.details()


@pytest.mark.parametrize(("name", "config", "good", "bad"), CASES, ids=IDS)
def test_every_iteration_must_hold(name, config, good, bad):
    for order in itertools.permutations([good, bad, good]):
        criterion = make(name, config)
        for each in order:
            criterion.add_iteration(each)
        assert not criterion.result()["success"]


@pytest.mark.parametrize(("name", "config", "good", "bad"), CASES, ids=IDS)
def test_missing_data_fails(name, config, good, bad):
    never = make(name, config)
    assert not never.result()["success"]
    assert "no iteration" in never.details()
    failed = make(name, config)
    failed.add_iteration(good)
    assert not failed.add_iteration(NOTHING)


@pytest.mark.parametrize(("name", "config", "good", "bad"), CASES, ids=IDS)
def test_merge_gives_the_verdict_of_one_pass(name, config, good, bad):
    for first, second in itertools.product([good, bad, NOTHING], repeat=2):
        one = make(name, config)
        one.add_iteration(first)
        one.add_iteration(second)
        left, right = make(name, config), make(name, config)
        left.add_iteration(first)
        right.add_iteration(second)
        left.merge(right)
        assert left.result() == one.result()


@pytest.mark.parametrize("name", IDS[:3])
def test_an_invalid_step_fails_whatever_its_figures(name):
    config = {n: c for n, c, _, _ in CASES}[name]
    criterion = make(name, config)
    criterion.add_iteration(iteration(step(reasons=["a worker died"])))
    assert not criterion.result()["success"]
    assert "a worker died" in criterion.details()


def test_a_step_that_does_not_exist_fails():
    criterion = make("request_rate", {"min_rps": 1, "step": 3})
    criterion.add_iteration(iteration(step()))
    assert not criterion.result()["success"]
    assert "there is no step 3" in criterion.details()


@pytest.mark.parametrize("name", IDS)
@pytest.mark.parametrize("config", [{"max_z": 1}, {}, {"max_s": "soon"}, 5])
def test_unknown_keys_and_wrong_types_are_refused(name, config):
    assert sla.SLA.validate(name, None, None, config)


@pytest.mark.parametrize(("name", "config", "good", "bad"), CASES, ids=IDS)
def test_what_is_meant_is_accepted(name, config, good, bad):
    assert not sla.SLA.validate(name, None, None, config)


def test_every_criterion_of_the_arithmetic_has_a_plugin():
    assert {c.criterion for c in criteria._Criterion.__subclasses__()} == set(
        IDS
    )

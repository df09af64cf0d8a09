import itertools

import pytest
from hypothesis import given
from hypothesis import strategies
from rally.task import sla

from rally_magnum_scale.in_bay.stats import bay_records
from rally_magnum_scale.in_bay.stats import disruption_records
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.measurement import verdicts
from rally_magnum_scale.task import output
from rally_magnum_scale.task.sla import criterion_plugins

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


PERCENTILES = {"p50": 4.0, "p90": 7.0, "p99": 8.0, "max": 8.0}


def bay(name="bay", **changes):
    values = {
        "uuid": "u",
        "template": "t",
        "nodes": 2,
        "nodes_real": 2,
        "nodes_hollow": 0,
        "create_s": 10.0,
        "nodes_ready_s": 12.0,
        "delete_s": 3.0,
        "node_ready_s": PERCENTILES,
        "nodes_timed": 2,
        "name": name,
    }
    return bay_records.Bay(**{**values, **changes})


def iteration(*steps, number=1, bays=None, error=(), pods=None, **changes):
    source = records.Source("task", number, "bay")
    found = [
        records.Source("task", number, one.name).envelope("bay", one.to_json())
        for one in bays or [bay(**changes)]
    ]
    if steps:
        load = records.Throughput(
            1,
            1,
            2.0,
            2.0,
            list(steps),
            pod_start_s=pods,
            pods_unready=0,
            pods_timed=3,
        )
        found.append(source.envelope("throughput", load.to_json()))
    return {
        "error": list(error),
        "output": {
            "additive": [],
            "complete": [output.records_output(found)],
        },
    }


def left(kind, *bodies):
    """An iteration that left records of one kind."""
    lines = [SOURCE.envelope(kind, one.to_json()) for one in bodies]
    return {
        "error": [],
        "output": {
            "additive": [],
            "complete": [output.records_output(lines)],
        },
    }


def changed(purpose, *nodes_s):
    """An iteration that changed its nodes once for each time given."""
    return left(
        "node_change",
        *(
            bay_records.NodeChange(
                number=number,
                purpose=purpose,
                nodes_before=2,
                nodes_wanted=4,
                nodes_after=4,
                magnum_s=10.0,
                nodes_s=value,
                drain_s=3.0,
            )
            for number, value in enumerate(nodes_s, 1)
        ),
    )


def asked_api(mutating_s):
    """An iteration whose API server answered changes so fast."""
    kinds = {
        name: {"requests": 7, "p50_s": 0.1, "p99_s": value}
        for name, value in (("mutating", mutating_s), ("list", 2.0))
    }
    return left("api_latency", bay_records.ApiLatency(kinds, {}))


def updated(*loads, took_s=8.0):
    """An iteration that updated its targets once for each load given."""
    return left(
        "update",
        *(
            disruption_records.Update(
                number=number,
                step=1,
                at_s=5.0,
                load=load,
                targets=4,
                new_ready_s=1.0,
                old_gone_s=took_s,
            )
            for number, load in enumerate(loads, 1)
        ),
    )


def lost_nodes(*requests_s):
    """An iteration that lost a node once for each time given."""
    return left(
        "fault",
        *(
            disruption_records.Fault(
                number=number,
                step=1,
                at_s=5.0,
                load=step(),
                targets_lost=1,
                noticed_s=2.0,
                pods_ready_s=6.0,
                requests_s=value,
            )
            for number, value in enumerate(requests_s, 1)
        ),
    )


def search(rps):
    found = records.MaxRate(
        bounds={"p99_ms": 50},
        precision=0.05,
        max_rate_rps=rps,
        held_rps=rps,
        failed_rps=None,
        failed_by="",
        failed_because="",
        confirmed=True,
        step=1,
        steps=1,
        rps_per_core=rps,
        rps_per_core_real_nodes=rps / 2,
        ended="max_rps holds",
        trials=[],
    )
    return left("max_rate", found)


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
        "pod_startup_time",
        {"p50_s": 4, "p99_s": 8, "max_s": 8},
        iteration(step(), pods=PERCENTILES),
        iteration(step(), pods={**PERCENTILES, "p99": 8.1}),
    ),
    (
        "api_errors",
        {"max": 3},
        iteration(openstack_errors={"Magnum: 503": 2, "Keystone: 429": 1}),
        iteration(openstack_errors={"Magnum: 503": 3, "Keystone: 429": 1}),
    ),
    (
        "api_latency",
        {"mutating_p99_s": 1, "list_p99_s": 30},
        asked_api(1.0),
        asked_api(1.01),
    ),
    (
        "bay_create_time",
        {"max_s": 20, "max_s_per_node": 10},
        iteration(),
        iteration(create_s=20.1),
    ),
    (
        "driver_lag",
        {"early_max_s": 2},
        iteration(),
        iteration(nodes_ready_s=15.0),
    ),
    (
        "driver_lag",
        {"late_max_s": 2},
        iteration(),
        iteration(create_s=20.1),
    ),
    (
        "bay_delete_time",
        {"max_s": 5, "max_s_per_node": 2.5},
        iteration(),
        iteration(delete_s=5.1),
    ),
    (
        "node_ready_time",
        {"max_s": 12, "max_s_per_node": 6},
        iteration(),
        iteration(nodes_ready_s=12.1),
    ),
    (
        "node_ready_time",
        {"p50_s": 4, "p90_s": 7, "p99_s": 8},
        iteration(),
        iteration(node_ready_s={**PERCENTILES, "p99": 8.1}),
    ),
    (
        "node_ready_time",
        {"max_s": 12, "p99_s": 8},
        iteration(bays=[bay("a"), bay("b")]),
        iteration(bays=[bay("a"), bay("b", node_ready_s=None), bay("c")]),
    ),
    (
        "bay_resize_time",
        {"nodes_max_s": 8, "nodes_max_s_per_node": 4},
        changed(bay_records.RESIZE, 8.0, 6.0),
        changed(bay_records.RESIZE, 6.0, 8.1),
    ),
    (
        "node_replace_time",
        {"max_s": 8, "max_s_per_node": 4, "drain_max_s": 3},
        changed(bay_records.REPLACE, 8.0, 6.0),
        changed(bay_records.REPLACE, 6.0, 8.1),
    ),
    (
        "max_rate",
        {"min_rps": 990, "min_rps_per_core": 495},
        search(990),
        search(989),
    ),
    (
        "rolling_update_time",
        {"max_s": 8, "max_s_per_target": 2},
        updated(step()),
        updated(step(), took_s=8.1),
    ),
    (
        "recovery_time",
        {
            "max_s": 7,
            "notice_max_s": 2,
            "pods_max_s": 6,
            "requests_max_s": 7,
        },
        lost_nodes(7.0, 0.0),
        lost_nodes(0.0, 7.1),
    ),
    (
        "request_rate",
        {"min_rps": 990, "during": "update"},
        updated(step(), step(rps=990)),
        updated(step(), step(rps=989), step()),
    ),
    (
        "request_errors",
        {"max_ratio": 0, "during": "update"},
        updated(step()),
        updated(step(), step(errors=0.0001)),
    ),
    (
        "request_latency",
        {"p99_ms": 2, "during": "fault"},
        lost_nodes(0.0),
        updated(step()),
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
def test_a_criterion_fails_without_data(name, config, good, bad):
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
    config = {n: c for n, c, _, _ in CASES[:3]}[name]
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
def test_a_valid_configuration_is_accepted(name, config, good, bad):
    assert not sla.SLA.validate(name, None, None, config)


def test_every_criterion_has_a_plugin():
    found = {
        c.criterion for c in criterion_plugins._Criterion.__subclasses__()
    }
    assert found == set(verdicts.CRITERIA) == set(IDS)


BAYS = strategies.builds(
    bay,
    name=strategies.sampled_from("abc"),
    create_s=strategies.none() | strategies.integers(1, 9),
    nodes_ready_s=strategies.none() | strategies.integers(1, 9),
    node_ready_s=strategies.none()
    | strategies.fixed_dictionaries({"p50": strategies.integers(1, 9)}),
    failure=strategies.sampled_from(["", "quota"]),
    made_by=strategies.sampled_from(bay_records.MAKERS),
)
ITERATIONS = strategies.lists(
    strategies.lists(BAYS, max_size=3, unique_by=lambda one: one.name),
    min_size=1,
    max_size=4,
)


@given(
    ITERATIONS,
    strategies.data(),
    strategies.sampled_from(
        [
            ("bay_create_time", {"max_s": 6, "max_s_per_node": 2}),
            ("bay_delete_time", {"max_s_per_node": 2}),
            ("node_ready_time", {"max_s": 6, "p50_s": 5}),
        ]
    ),
)
def test_a_merge_gives_the_verdict_of_one_pass_for_any_bays(
    found, data, asked
):
    each = [
        iteration(number=number, bays=bays) if bays else NOTHING
        for number, bays in enumerate(found, 1)
    ]
    one = make(*asked)
    for item in each:
        one.add_iteration(item)
    cut = data.draw(strategies.integers(0, len(each)))
    left, right = make(*asked), make(*asked)
    for item in each[:cut]:
        left.add_iteration(item)
    for item in reversed(each[cut:]):
        right.add_iteration(item)
    right.merge(left)
    assert right.result() == one.result()
    bad = not all(found) or any(one.failure for bays in found for one in bays)
    assert not (bad and one.result()["success"])


@pytest.mark.parametrize("name", IDS[:3])
def test_step_and_during_exclude_each_other(name):
    (bound, *_) = verdicts.CRITERIA[name].bounds
    both = {bound: 1, "step": 1, "during": "update"}
    for key in ("step", "during"):
        alone = {name: value for name, value in both.items() if name != key}
        assert not sla.SLA.validate(name, None, None, alone)
    (said,) = sla.SLA.validate(name, None, None, both)
    assert said == (
        f"SLA plugin '{name}' doesn't pass "
        "magnum_scale_step_or_event@default validation. Details: during: it "
        "can't be combined with step, because a criterion judges either one "
        "step or the time of each event. Remove one of the two."
    )


@pytest.mark.parametrize("kind", ["resize", "", None, 1, ["update"]])
def test_an_event_of_an_unknown_kind_is_refused(kind):
    config = {"max_ratio": 0, "during": kind}
    assert sla.SLA.validate("request_errors", None, None, config)


@pytest.mark.parametrize("name", [n for n in IDS if "request" not in n])
def test_only_criteria_of_steps_judge_the_time_of_an_event(name):
    (bound, *_) = verdicts.CRITERIA[name].bounds
    config = {bound: 1, "during": "update"}
    assert sla.SLA.validate(name, None, None, config)


def test_a_criterion_names_the_event_that_decides():
    criterion = make("request_errors", {"max_ratio": 0, "during": "update"})
    criterion.add_iteration(updated(step(), step(errors=0.5), step()))
    assert "(iteration 1, update 2)" in criterion.details()

import dataclasses
import itertools
import math

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies

from rally_magnum_scale import measurement
from rally_magnum_scale.in_bay.stats import bay_records
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.measurement import verdicts
from tests.unit import factories
from tests.unit import frozen

GOOD = factories.run()
# Whatever its values are: a worker died.
INVALID = factories.run(reasons=["worker rms-worker-2 died"])
SILENT = factories.run(served=0.0)
BARE = dataclasses.replace(GOOD, throughput=None, bays=())
FAILED_BAY = dataclasses.replace(
    GOOD,
    bays=(
        factories.bay(
            create_s=None, nodes_ready_s=None, delete_s=None, node_ready_s=None
        ),
    ),
)

STEP_BOUNDS = [
    ("request_rate", "min_rps", 19_000, 20_000),
    ("request_rate", "min_rps_per_core", 9_000, 10_001),
    ("request_rate", "min_rps_per_pod_core", 10_500, 11_200),
    ("request_rate", "min_requests_per_cpu_s", 12_000, 12_600),
    ("request_latency", "p50_ms", 5, 0.001),
    ("request_latency", "p90_ms", 5, 0.001),
    ("request_latency", "p99_ms", 50, 0.001),
    ("request_latency", "p99_9_ms", 50, 0.001),
    ("request_latency", "max_ms", 50, 0.001),
]
BAY_BOUNDS = [
    ("bay_create_time", "max_s", 12.4, 1),
    ("bay_create_time", "max_s_per_node", 0.063, 0.056),
    ("bay_delete_time", "max_s", 3.2, 1),
    ("bay_delete_time", "max_s_per_node", 0.016, 0.01),
    ("node_ready_time", "max_s", 12.1, 10.9),
    ("node_ready_time", "max_s_per_node", 0.061, 0.054),
    ("node_ready_time", "p50_s", 9.1, 8),
    ("node_ready_time", "p90_s", 10.2, 9),
    ("node_ready_time", "p99_s", 11.8, 10),
]
BOUNDS = [*STEP_BOUNDS, *BAY_BOUNDS]


def judge_one(criterion, config, run):
    (verdict,) = verdicts.judge(criterion, config, run)
    return verdict


@pytest.mark.parametrize(("criterion", "key", "good", "bad"), BOUNDS)
def test_each_bound_holds_on_a_good_run(criterion, key, good, bad):
    verdict = judge_one(criterion, {key: good}, GOOD)
    assert verdict.passed
    assert verdict.margin >= 0
    assert not verdict.reason


@pytest.mark.parametrize(("criterion", "key", "good", "bad"), BOUNDS)
def test_each_bound_fails_if_its_value_is_worse(criterion, key, good, bad):
    verdict = judge_one(criterion, {key: bad}, GOOD)
    assert not verdict.passed
    assert verdict.margin < 0
    assert not verdict.reason


def test_the_error_ratio_is_bounded():
    failing = factories.run(failures={"timeout": 40})
    bound = {"max_ratio": 0.001}
    assert not judge_one("request_errors", bound, failing).passed
    assert judge_one("request_errors", bound, GOOD).passed


@pytest.mark.parametrize(
    ("criterion", "key"),
    [*((one[0], one[1]) for one in BOUNDS), ("request_errors", "max_ratio")],
)
def test_every_bound_fails_without_records(criterion, key):
    # However mild the bound is: 0 at least, or a billion at most.
    mild = 0 if key.startswith("min") else 1e9
    for run in (BARE, records.Run()):
        verdict = judge_one(criterion, {key: mild}, run)
        assert not verdict.passed
        assert verdict.value is None
        assert verdict.reason


def test_a_load_without_steps_was_not_measured():
    empty = dataclasses.replace(GOOD.throughput, steps=[])
    for load in (None, empty):
        run = dataclasses.replace(GOOD, throughput=load)
        for config in ({"min_rps": 0}, {"min_rps": 0, "step": 1}):
            verdict = judge_one("request_rate", config, run)
            assert verdict.reason == "no load was measured"
            assert not verdict.passed


@pytest.mark.parametrize(
    ("criterion", "key"),
    [
        *((one[0], one[1]) for one in STEP_BOUNDS if one[1].endswith("_ms")),
        ("request_errors", "max_ratio"),
    ],
)
def test_a_load_without_responses_fails(criterion, key):
    verdict = judge_one(criterion, {key: 1e9}, SILENT)
    assert verdict.reason == "it was not measured"
    assert not verdict.passed


BAY_KEYS = [(one[0], one[1]) for one in BAY_BOUNDS]


@pytest.mark.parametrize(("criterion", "key"), BAY_KEYS)
def test_a_bay_that_did_not_reach_a_time_fails(criterion, key):
    verdict = judge_one(criterion, {key: 1e9}, FAILED_BAY)
    assert verdict.reason == "it was not measured"
    assert not verdict.passed


@pytest.mark.parametrize("maker", ["named", "kubeconfig"])
@pytest.mark.parametrize(("criterion", "key"), BAY_KEYS)
def test_a_bay_that_the_task_did_not_make_fails(criterion, key, maker):
    bay = dataclasses.replace(FAILED_BAY.bay, made_by=maker)
    run = dataclasses.replace(GOOD, bays=(bay,))
    verdict = judge_one(criterion, {key: 1e9}, run)
    assert verdict.reason == (
        "it was not measured, because this task did not create the bay"
    )
    assert not verdict.passed


def test_the_deletion_by_a_context_can_not_be_judged():
    bay = factories.bay(made_by="context", delete_s=None)
    run = dataclasses.replace(GOOD, bays=(bay,))
    verdict = judge_one("bay_delete_time", {"max_s": 1e9}, run)
    assert "the context deletes the bay only after the last" in verdict.reason
    assert not verdict.passed
    assert judge_one("bay_create_time", {"max_s": 60}, run).passed


def several(**changes):
    bays = (
        factories.bay(name="a"),
        factories.bay(name="b", **changes),
        factories.bay(name="c"),
    )
    return dataclasses.replace(GOOD, bays=bays)


@pytest.mark.parametrize(
    ("criterion", "key", "field", "bad"),
    [
        ("bay_create_time", "max_s", "create_s", 99.0),
        ("bay_create_time", "max_s", "create_s", None),
        ("bay_create_time", "max_s_per_node", "nodes", 2),
        ("bay_delete_time", "max_s", "delete_s", 99.0),
        ("node_ready_time", "max_s", "nodes_ready_s", 99.0),
        ("node_ready_time", "p99_s", "node_ready_s", {"p99": 99.0}),
        ("node_ready_time", "max_s", "failure", "quota"),
    ],
)
def test_the_worst_bay_of_an_iteration_decides(criterion, key, field, bad):
    config = {key: 60 if key != "max_s_per_node" else 1}
    assert judge_one(criterion, config, several()).passed
    verdict = judge_one(criterion, config, several(**{field: bad}))
    assert not verdict.passed
    assert verdict.bay == "b"
    assert "(iteration 1, bay b)" in verdict.describe()


def test_a_bay_alone_is_not_named():
    assert judge_one("bay_create_time", {"max_s": 1}, GOOD).bay == ""


def test_a_bay_without_nodes_has_no_time_per_node():
    run = dataclasses.replace(GOOD, bays=(factories.bay(nodes=0),))
    verdict = judge_one("bay_create_time", {"max_s_per_node": 1e9}, run)
    assert (verdict.value, verdict.passed) == (None, False)


@pytest.mark.parametrize(
    ("criterion", "key"),
    [
        *((one[0], one[1]) for one in STEP_BOUNDS),
        ("request_errors", "max_ratio"),
    ],
)
def test_an_invalid_step_fails_although_its_value_is_good(criterion, key):
    mild = 0 if key.startswith("min") else 1e9
    verdict = judge_one(criterion, {key: mild}, INVALID)
    assert verdict.margin >= 0
    assert not verdict.passed
    assert "rms-worker-2 died" in verdict.reason


@pytest.mark.parametrize("number", [-1, 0, 3])
@pytest.mark.parametrize(
    ("criterion", "key"),
    [
        *((one[0], one[1]) for one in STEP_BOUNDS),
        ("request_errors", "max_ratio"),
    ],
)
def test_a_step_that_does_not_exist_fails(criterion, key, number):
    mild = 0 if key.startswith("min") else 1e9
    verdict = judge_one(criterion, {key: mild, "step": number}, GOOD)
    assert not verdict.passed
    assert verdict.reason == f"there is no step {number}, only 2"


def test_a_named_step_is_judged_and_the_last_by_default():
    first = judge_one("request_rate", {"min_rps": 1, "step": 1}, GOOD)
    last = judge_one("request_rate", {"min_rps": 1}, GOOD)
    assert (first.step, last.step) == (1, 2)
    assert 9_800 < first.value < 10_000 < 19_000 < last.value


@pytest.mark.parametrize("bound", [5, "soon"])
def test_a_bound_that_does_not_exist_fails(bound):
    config = {"p99_ms": 50, "p95_ms": bound}
    found = verdicts.judge("request_latency", config, GOOD)
    assert {one.bound_key: one.passed for one in found} == {
        "p95_ms": False,
        "p99_ms": True,
    }
    assert found[0].describe() == (
        "request_latency p95_ms: no value, required: at least nan (iteration "
        "1): there is no bound p95_ms, only p50_ms, p90_ms, p99_ms, p99_9_ms, "
        "max_ms"
    )


def test_a_missing_cpu_time_fails_with_the_reason():
    run = factories.run(cpu_missing="the nodes may not be asked")
    verdict = judge_one("request_rate", {"min_requests_per_cpu_s": 1}, run)
    assert not verdict.passed
    assert verdict.value is None
    assert verdict.reason == (
        "it was not measured: the nodes may not be asked"
    )
    # The reason is of that figure alone.
    assert judge_one("request_rate", {"min_rps": 1}, run).passed


def test_a_value_on_the_bound_holds():
    assert judge_one("bay_create_time", {"max_s": 12.4}, GOOD).passed
    assert not judge_one("bay_create_time", {"max_s": 12.39}, GOOD).passed


def test_only_our_criteria_are_judged():
    found = verdicts.judge_all(factories.GOOD_SLA, [GOOD])
    assert [(one.criterion, one.bound_key) for one in found] == [
        ("request_rate", "min_rps"),
        ("request_rate", "min_rps_per_core"),
        ("request_latency", "p50_ms"),
        ("request_latency", "p99_ms"),
        ("request_errors", "max_ratio"),
        ("bay_create_time", "max_s"),
        ("bay_delete_time", "max_s"),
    ]
    assert all(one.passed for one in found)


def test_every_bound_fails_without_an_iteration():
    found = verdicts.judge_all(factories.GOOD_SLA, [])
    assert len(found) == 7
    assert not any(one.passed for one in found)


@pytest.mark.parametrize("bad", [BARE, INVALID, FAILED_BAY])
def test_the_worst_iteration_decides(bad):
    runs = [GOOD, dataclasses.replace(bad, iteration=2), GOOD]
    found = verdicts.judge_all(factories.GOOD_SLA, runs)
    failed = [one for one in found if not one.passed]
    assert failed
    assert {one.iteration for one in failed} == {2}


@pytest.mark.parametrize("name", verdicts.CRITERIA)
def test_each_schema_needs_a_bound_and_refuses_other_keys(name):
    schema = verdicts.CRITERIA[name].schema()
    assert schema["additionalProperties"] is False
    assert {one["required"][0] for one in schema["anyOf"]} == set(
        verdicts.CRITERIA[name].bounds
    )


@pytest.mark.parametrize(
    ("name", "config", "taken"),
    [
        *(
            (name, {key: value}, value == 0)
            for name, criterion in verdicts.CRITERIA.items()
            for key in criterion.bounds
            for value in (0, -0.001, "5")
        ),
        *(
            ("request_rate", {"min_rps": 1, "step": number}, number == 1)
            for number in (1, 0, 1.5)
        ),
    ],
)
def test_each_schema_limits_bounds_and_steps(name, config, taken):
    schema = verdicts.CRITERIA[name].schema()
    assert jsonschema.Draft7Validator(schema).is_valid(config) is taken


def test_a_verdict_is_described_in_one_line():
    verdict = judge_one("request_rate", {"min_rps": 20_000}, INVALID)
    said = verdict.describe()
    assert said.startswith("request_rate min_rps: 19,8")
    assert "required: at least 20,000 rps (iteration 1, step 2): " in said


VERDICTS = strategies.builds(
    verdicts.Verdict,
    criterion=strategies.just("request_rate"),
    bound_key=strategies.just("min_rps"),
    at_least=strategies.just(True),
    bound=strategies.just(100.0),
    unit=strategies.just("rps"),
    iteration=strategies.integers(1, 50),
    value=strategies.none() | strategies.floats(0, 200),
    reason=strategies.sampled_from(["", "a worker died"]),
)


@given(
    strategies.lists(
        VERDICTS, min_size=1, max_size=6, unique_by=lambda v: v.iteration
    ),
    strategies.data(),
)
def test_the_worst_verdict_does_not_depend_on_order_or_grouping(found, data):
    decided = verdicts.worst(found)
    assert decided.passed == all(one.passed for one in found)
    shuffled = data.draw(strategies.permutations(found))
    assert verdicts.worst(shuffled) == decided
    cut = data.draw(strategies.integers(1, len(found)))
    groups = [shuffled[:cut], shuffled[cut:]]
    each = [verdicts.worst(group) for group in groups if group]
    assert verdicts.worst(each) == decided


def verdict_of(value, iteration=1, **changes):
    """A verdict on a rate of at least 100."""
    return verdicts.Verdict(
        criterion="request_rate",
        bound_key="min_rps",
        at_least=True,
        bound=100.0,
        unit="rps",
        iteration=iteration,
        value=value,
        **changes,
    )


@pytest.mark.parametrize(
    "ordered",
    [
        [verdict_of(None, 2), verdict_of(50, 1), verdict_of(150, 3)],
        [verdict_of(50, 2), verdict_of(90, 1), verdict_of(100, 3)],
        # However good the value is that does not count.
        [verdict_of(190, 2, reason="a worker died"), verdict_of(110, 1)],
        [verdict_of(100, 2), verdict_of(100.5, 1), verdict_of(120, 3)],
        [
            verdict_of(99.5, 2, reason="a worker died"),
            verdict_of(100, 1, reason="a worker died"),
        ],
        [verdict_of(50, 1), verdict_of(50, 2)],
        [verdict_of(50, 1, bay="a"), verdict_of(50, 1, bay="b")],
        [verdict_of(None, 1), verdict_of(None, 2)],
    ],
)
def test_a_missing_value_is_worse_than_any_value(ordered):
    for order in itertools.permutations(ordered):
        assert verdicts.worst(order) == ordered[0]


def test_the_worst_run_does_not_depend_on_the_order():
    runs = [
        dataclasses.replace(one, iteration=number)
        for number, one in enumerate((GOOD, INVALID, SILENT, BARE), 1)
    ]
    found = {
        tuple(verdicts.judge_all(factories.GOOD_SLA, order))
        for order in itertools.permutations(runs)
    }
    assert len(found) == 1


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "ms", "no value"),
        (12.3456, "ms", "12.35 ms"),
        (999.94, "ms", "999.9 ms"),
        (1000, "ms", "1,000 ms"),
        (-1234.4, "ms", "-1,234 ms"),
        (math.inf, "s", "inf s"),
        (2_000_000.4, "rps", "2,000,000 rps"),
        (0.00012, "ratio", "0.00012"),
        (0.0001, "ratio", "0.0001"),
        (0.00009, "ratio", "0.00009"),
        (-0.00002, "ratio", "-0.00002"),
        (0.00000123456, "ratio", "0.000001235"),
        (0.0000503778, "ratio", "0.00005038"),
        (0, "ratio", "0"),
    ],
)
def test_values_are_written_with_their_units(value, unit, text):
    assert verdicts.format_value(value, unit) == text


@pytest.mark.parametrize(
    ("key", "good", "bad"),
    [("min_rps", 9_800, 9_801), ("min_rps_per_core", 2_450, 2_451)],
)
def test_the_highest_rate_is_judged(key, good, bad):
    verdict = judge_one("max_rate", {key: good}, factories.searched())
    assert (verdict.passed, verdict.step) == (True, 7)
    assert not judge_one("max_rate", {key: bad}, factories.searched()).passed


def test_a_highest_rate_that_was_not_confirmed_does_not_count():
    run = factories.searched(reasons=["no longer step confirmed it"])
    verdict = judge_one("max_rate", {"min_rps": 1}, run)
    assert not verdict.passed
    assert verdict.reason == "no longer step confirmed it"


def test_without_a_search_there_is_no_highest_rate():
    verdict = judge_one("max_rate", {"min_rps": 1}, GOOD)
    assert not verdict.passed
    assert verdict.reason == "no search for the highest rate was run"
    none = factories.searched(
        max_rate_rps=None, reasons=["not even 10 rps held"]
    )
    assert not judge_one("max_rate", {"min_rps": 0}, none).passed


@pytest.mark.parametrize(
    ("key", "good", "bad"),
    [
        ("max_s", 6, 5.9),
        ("max_s_per_node", 0.06, 0.059),
        ("nodes_max_s", 5, 4.9),
        ("nodes_max_s_per_node", 0.05, 0.049),
    ],
)
def test_a_resize_is_bounded_by_time_and_by_node(key, good, bad):
    run = records.Run(node_changes=(factories.node_change(),))
    assert judge_one("bay_resize_time", {key: good}, run).passed
    assert not judge_one("bay_resize_time", {key: bad}, run).passed
    nothing = judge_one("bay_resize_time", {key: good}, GOOD)
    assert nothing.reason == "no bay was resized"


def test_the_worst_of_several_resizes_decides_and_is_named():
    times = (4.0, 9.0, 5.0)
    run = records.Run(
        node_changes=tuple(
            factories.node_change(number=number, magnum_s=value)
            for number, value in enumerate(times, 1)
        )
    )
    verdict = judge_one("bay_resize_time", {"max_s": 8}, run)
    assert (verdict.step, verdict.value) == (2, 9.0)
    assert "(an iteration without records, change 2)" in verdict.describe()
    assert not verdict.passed


def test_a_resize_that_failed_does_not_count_though_it_was_fast():
    failed = factories.node_change(failure="other", reason="wrong nodes")
    run = records.Run(node_changes=(failed,))
    verdict = judge_one("bay_resize_time", {"max_s": 8}, run)
    assert not verdict.passed
    assert verdict.reason == "it failed: wrong nodes"


def test_a_replacement_does_not_count_as_a_resize():
    change = factories.node_change(purpose=bay_records.REPLACE)
    run = records.Run(node_changes=(change,))
    assert judge_one("bay_resize_time", {"max_s": 8}, run).value is None


def test_pods_that_were_not_timed_have_no_startup_time():
    verdict = judge_one("pod_startup_time", {"p99_s": 5}, GOOD)
    assert verdict.reason == "it was not measured"
    verdict = judge_one("pod_startup_time", {"p99_s": 5}, BARE)
    assert verdict.reason == "no load was run"


def test_an_api_server_without_metrics_fails_with_the_reason():
    bound = {"get_p99_s": 1}
    api = bay_records.ApiLatency({}, {}, "the API refused")
    verdict = judge_one("api_latency", bound, records.Run(api_latency=api))
    assert verdict.reason == "it was not measured: the API refused"
    assert "no API server" in judge_one("api_latency", bound, GOOD).reason


def test_a_delete_is_divided_by_the_nodes_that_were_deleted():
    bay = factories.bay(nodes=200, nodes_deleted=1000, delete_s=10.0)
    run = records.Run(bays=(bay,))
    verdict = judge_one("bay_delete_time", {"max_s_per_node": 1}, run)
    assert verdict.value == 0.01


STUCK = {"ended_s": None, "load": None, "failure": "timeout"}


def disturbed(*events, **fields):
    """The records of an iteration with these updates and faults."""
    updates = [one for one in events if hasattr(one, "versions")]
    faults = [one for one in events if hasattr(one, "how")]
    return dataclasses.replace(
        GOOD, updates=tuple(updates), faults=tuple(faults), **fields
    )


EVENT_BOUNDS = [
    ("rolling_update_time", "max_s", 9.6, 9.5),
    ("rolling_update_time", "max_s_per_target", 2.4, 2.39),
    ("recovery_time", "max_s", 9.8, 9.7),
    ("recovery_time", "notice_max_s", 4, 3.9),
    ("recovery_time", "pods_max_s", 7.5, 7.4),
    ("recovery_time", "requests_max_s", 9.8, 9.7),
]
DURING_BOUNDS = [
    ("request_rate", "min_rps", 9_996, 9_997),
    ("request_rate", "min_rps_per_core", 4_998, 4_999),
    ("request_rate", "min_rps_per_pod_core", 5_553, 5_554),
    ("request_latency", "p50_ms", 0.9, 0.8999),
    ("request_latency", "p99_ms", 7, 6.9),
    ("request_latency", "max_ms", 90, 89),
    ("request_errors", "max_ratio", 0.0004, 0.00039),
]
KINDS = ["update", "fault"]
MAKERS = {"update": factories.update, "fault": factories.fault}
NONE = {
    "update": "no targets were updated",
    "fault": "no node fault was injected",
}


@pytest.mark.parametrize(("criterion", "key", "good", "bad"), EVENT_BOUNDS)
def test_the_time_of_an_event_is_bounded(criterion, key, good, bad):
    run = disturbed(factories.update(), factories.fault())
    verdict = judge_one(criterion, {key: good}, run)
    assert verdict.passed
    assert not judge_one(criterion, {key: bad}, run).passed
    kind = "update" if criterion == "rolling_update_time" else "fault"
    assert verdict.place == verdict.event == f"{kind} 1"


@pytest.mark.parametrize(("criterion", "key", "good", "bad"), EVENT_BOUNDS)
def test_without_an_event_its_time_fails(criterion, key, good, bad):
    # One of the other kind does not help.
    other = factories.fault() if "update" in criterion else factories.update()
    for run in (disturbed(other), records.Run(), BARE):
        verdict = judge_one(criterion, {key: 1e9}, run)
        assert (verdict.value, verdict.passed) == (None, False)
        assert verdict.reason in NONE.values()
        assert verdict.place == ""
    assert ("targets were updated" in verdict.reason) is (
        criterion == "rolling_update_time"
    )


@pytest.mark.parametrize(("criterion", "key", "good", "bad"), EVENT_BOUNDS)
def test_an_event_that_failed_does_not_count(criterion, key, good, bad):
    failed = {"failure": "timeout", "reason": "3 of 6 serve"}
    run = disturbed(factories.update(**failed), factories.fault(**failed))
    verdict = judge_one(criterion, {key: 1e9}, run)
    assert not verdict.passed
    assert verdict.reason == "it failed: 3 of 6 serve"


def test_a_fault_without_a_recovery_fails_with_the_reason():
    silent = {"pods_ready_s": None, "requests_s": None, **STUCK}
    told = factories.fault(**silent, reason="3 of 6 serve")
    for key in ("max_s", "pods_max_s", "requests_max_s"):
        verdict = judge_one("recovery_time", {key: 1e9}, disturbed(told))
        assert (verdict.value, verdict.passed) == (None, False)
        assert verdict.reason == "it failed: 3 of 6 serve"


def test_a_missing_recovery_time_fails_with_the_reason():
    why = "requests still failed when the load ended"
    fault = factories.fault(requests_s=None, reason=why)
    verdict = judge_one("recovery_time", {"max_s": 1e9}, disturbed(fault))
    assert (verdict.value, verdict.reason) == (None, why)
    # The pods were ready all the same.
    assert judge_one(
        "recovery_time", {"pods_max_s": 8}, disturbed(fault)
    ).passed
    silent = disturbed(factories.update(old_gone_s=None))
    verdict = judge_one("rolling_update_time", {"max_s": 1e9}, silent)
    assert verdict.reason == "it was not measured"


def test_an_update_without_targets_has_no_time_per_target():
    run = disturbed(factories.update(targets=0))
    verdict = judge_one("rolling_update_time", {"max_s_per_target": 9}, run)
    assert (verdict.value, verdict.passed) == (None, False)


def test_an_invalid_load_shows_no_recovery():
    load = factories.event_load(reasons=["a worker died", "a gap"])
    run = disturbed(factories.fault(load=load))
    for key in ("max_s", "requests_max_s"):
        verdict = judge_one("recovery_time", {key: 1e9}, run)
        assert not verdict.passed
        assert verdict.reason == "a worker died; a gap"
    # Kubernetes told of these.
    for key in ("notice_max_s", "pods_max_s"):
        assert judge_one("recovery_time", {key: 1e9}, run).passed


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("criterion", "key", "good", "bad"), DURING_BOUNDS)
def test_a_criterion_of_steps_judges_the_time_of_an_event(
    criterion, key, good, bad, kind
):
    run = disturbed(MAKERS[kind]())
    holding = judge_one(criterion, {key: good, "during": kind}, run)
    assert holding.passed
    assert (holding.during, holding.place) == (kind, f"{kind} 1")
    assert not judge_one(criterion, {key: bad, "during": kind}, run).passed


@pytest.mark.parametrize("kind", KINDS)
def test_the_worst_of_several_events_decides_and_is_named(kind):
    ratios = (0.0, 0.02, 0.01)
    run = disturbed(
        *(
            MAKERS[kind](
                number=number, load=factories.event_load(error_ratio=ratio)
            )
            for number, ratio in enumerate(ratios, 1)
        )
    )
    bound = {"max_ratio": 0.015, "during": kind}
    verdict = judge_one("request_errors", bound, run)
    assert (verdict.passed, verdict.value, verdict.step) == (False, 0.02, 2)
    assert f"(iteration 1, {kind} 2)" in verdict.describe()
    mild = {"max_ratio": 0.02, "during": kind}
    assert judge_one("request_errors", mild, run).passed


def test_an_event_without_a_load_fails_the_bound():
    run = disturbed(
        factories.update(),
        factories.update(number=2, load=None),
        factories.update(number=3),
    )
    bound = {"max_ratio": 1, "during": "update"}
    verdict = judge_one("request_errors", bound, run)
    assert (verdict.value, verdict.place) == (None, "update 2")
    assert verdict.reason == "it was not measured"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("criterion", "key", "good", "bad"), DURING_BOUNDS)
def test_without_an_event_of_the_kind_its_time_fails(
    criterion, key, good, bad, kind
):
    mild = 0 if key.startswith("min") else 1e9
    (other,) = set(KINDS) - {kind}
    # However good the steps and the other events are.
    run = disturbed(MAKERS[other]())
    verdict = judge_one(criterion, {key: mild, "during": kind}, run)
    assert (verdict.value, verdict.passed) == (None, False)
    assert (verdict.reason, verdict.place) == (NONE[kind], "")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("criterion", "key", "good", "bad"), DURING_BOUNDS)
def test_an_invalid_load_fails_the_time_of_its_event(
    criterion, key, good, bad, kind
):
    mild = 0 if key.startswith("min") else 1e9
    load = factories.event_load(reasons=["a worker died", "a gap"])
    run = disturbed(MAKERS[kind](), MAKERS[kind](number=2, load=load))
    verdict = judge_one(criterion, {key: mild, "during": kind}, run)
    assert verdict.margin >= 0
    assert not verdict.passed
    assert verdict.reason == "a worker died; a gap"
    assert verdict.place == f"{kind} 2"


def test_the_load_of_an_event_that_failed_fails():
    stuck = factories.fault(**STUCK, reason="3 of 6 serve")
    early = factories.fault(failure="timeout", reason="3 of 6 serve")
    for fault, value in ((stuck, None), (early, 0.0004)):
        bound = {"max_ratio": 1, "during": "fault"}
        verdict = judge_one("request_errors", bound, disturbed(fault))
        assert (verdict.passed, verdict.value) == (False, value)
        assert verdict.reason == "it failed: 3 of 6 serve"


def test_an_invalid_step_does_not_invalidate_an_event():
    run = disturbed(factories.update(), throughput=None)
    bound = {"min_rps": 9_000, "during": "update"}
    assert judge_one("request_rate", bound, run).passed
    assert not judge_one("request_rate", {"min_rps": 1}, run).passed


def test_an_event_of_a_kind_that_does_not_exist_fails():
    run = disturbed(factories.update(), factories.fault())
    bound = {"min_rps": 0, "during": "quake"}
    verdict = judge_one("request_rate", bound, run)
    assert not verdict.passed
    assert verdict.reason == "there is no event quake, only update, fault"


def test_only_criteria_of_steps_take_a_step_or_an_event():
    for name in ("request_rate", "request_latency", "request_errors"):
        schema = verdicts.CRITERIA[name].schema()
        assert {"step", "during"} <= set(schema["properties"])
        assert schema["properties"]["during"]["enum"] == KINDS
    for name in ("rolling_update_time", "recovery_time", "max_rate"):
        schema = verdicts.CRITERIA[name].schema()
        assert not {"step", "during"} & set(schema["properties"])


def test_a_step_or_a_bay_is_no_event():
    step = judge_one("request_rate", {"min_rps": 1}, GOOD)
    assert (step.place, step.event) == ("step 2", "")
    bay = judge_one("bay_create_time", {"max_s": 60}, GOOD)
    assert (bay.place, bay.event) == ("", "")
    change = judge_one(
        "bay_resize_time",
        {"max_s": 9},
        records.Run(node_changes=(factories.node_change(),)),
    )
    assert change.place == change.event == "change 1"


# What a record says of itself: that it is incomplete, or never happened.


def with_pods(**changes):
    load = dataclasses.replace(
        GOOD.throughput,
        **{
            "pod_start_s": {"p99": 3.0},
            "pods_unready": 0,
            "pods_timed": 4,
            **changes,
        },
    )
    return dataclasses.replace(GOOD, throughput=load)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"pods_unready": 1}, "1 of the load's pods were never Ready"),
        (
            {"pods_unready": None},
            "it is not known whether all of the load's pods were Ready",
        ),
        # One target, two workers and the master.
        ({"pods_timed": 3}, "only 3 of the load's 4 pods were timed"),
        (
            {"pods_timed": None},
            "it is not known how many of the load's pods were timed",
        ),
    ],
)
def test_a_percentile_over_some_of_the_pods_does_not_count(changes, words):
    bound = {"p99_s": 5}
    assert judge_one("pod_startup_time", bound, with_pods()).passed
    run = with_pods(**changes)
    verdict = judge_one("pod_startup_time", bound, run)
    assert (verdict.passed, verdict.reason) == (False, words)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"nodes_real": 0}, "only 199 of 200 nodes were there"),
        ({"nodes_hollow": None}, "its nodes were not counted"),
        ({"nodes_real": None}, "its nodes were not counted"),
    ],
)
@pytest.mark.parametrize("key", ["max_s", "max_s_per_node", "p50_s", "p99_s"])
def test_missing_nodes_were_not_ready(key, changes, words):
    bay = factories.bay(**changes)
    run = dataclasses.replace(GOOD, bays=(bay,))
    verdict = judge_one("node_ready_time", {key: 1e9}, run)
    assert (verdict.passed, verdict.reason) == (False, words)
    more = dataclasses.replace(GOOD, bays=(factories.bay(nodes_real=5),))
    assert judge_one("node_ready_time", {key: 1e9}, more).passed


def test_a_bay_that_magnum_completes_early_was_not_created_in_time():
    early = factories.bay(create_s=10.0, nodes_ready_s=60.0)
    run = dataclasses.replace(GOOD, bays=(early,))
    verdict = judge_one("bay_create_time", {"max_s": 30}, run)
    assert (verdict.passed, verdict.value) == (False, 60.0)
    never = factories.bay(create_s=10.0, nodes_ready_s=None)
    run = dataclasses.replace(GOOD, bays=(never,))
    verdict = judge_one("bay_create_time", {"max_s": 30}, run)
    assert (verdict.passed, verdict.reason) == (False, "it was not measured")


@pytest.mark.parametrize(
    ("timed", "words"),
    [
        (199, "only 199 of 200 nodes were timed"),
        (None, "it is not known how many of its nodes were timed"),
    ],
)
def test_a_percentile_over_some_of_the_nodes_does_not_count(timed, words):
    bay = factories.bay(nodes_timed=timed)
    run = dataclasses.replace(GOOD, bays=(bay,))
    for key in ("p50_s", "p90_s", "p99_s"):
        verdict = judge_one("node_ready_time", {key: 1e9}, run)
        assert (verdict.passed, verdict.reason) == (False, words)
    # The time until all nodes were Ready needs no time of each.
    assert judge_one("node_ready_time", {"max_s": 1e9}, run).passed


@pytest.mark.parametrize(
    ("most", "passed"), [(14, False), (15, True), (16, True)]
)
def test_failed_requests_to_openstack_are_bounded(most, passed):
    bay = factories.bay(openstack_errors={"Magnum: 503": 12, "Nova: 500": 3})
    run = dataclasses.replace(GOOD, bays=(bay,))
    verdict = judge_one("api_errors", {"max": most}, run)
    assert (verdict.value, verdict.passed) == (15, passed)


def test_requests_that_were_not_counted_hold_no_bound():
    bay = factories.bay(openstack_errors=None)
    run = dataclasses.replace(GOOD, bays=(bay,))
    assert not judge_one("api_errors", {"max": 1e9}, run).passed


def test_a_value_that_is_missing_has_no_resolution():
    missing = judge_one("bay_create_time", {"max_s": 1}, records.Run())
    assert (missing.value, missing.resolution) == (None, 0.0)
    one = verdicts.Verdict("c", "max_s", False, 1.0, "s", 1)
    assert one.resolution == 0.0


def test_figures_of_an_api_server_with_a_reason_do_not_count():
    def run(missing):
        kinds = {"get": {"requests": 7, "p50_s": 0.1, "p99_s": 0.2}}
        api = bay_records.ApiLatency(kinds, {}, missing)
        return records.Run(api_latency=api)

    bound = {"get_p99_s": 1}
    assert judge_one("api_latency", bound, run("")).passed
    verdict = judge_one("api_latency", bound, run("restarted"))
    assert (verdict.passed, verdict.reason) == (False, "restarted")


def test_a_highest_rate_without_a_confirming_step_fails():
    run = factories.searched(confirmed=False)
    verdict = judge_one("max_rate", {"min_rps": 1}, run)
    assert not verdict.passed
    assert verdict.reason == "no longer step confirmed it"


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (None, "its end was not observed"),
        (299, "the bay has 299 nodes instead of 300"),
        (301, "the bay has 301 nodes instead of 300"),
    ],
)
@pytest.mark.parametrize(
    ("criterion", "purpose"),
    [
        ("bay_resize_time", bay_records.RESIZE),
        ("node_replace_time", bay_records.REPLACE),
    ],
)
def test_a_change_to_another_size_does_not_count(
    criterion, purpose, after, words
):
    change = factories.node_change(purpose=purpose, nodes_after=after)
    run = records.Run(node_changes=(change,))
    verdict = judge_one(criterion, {"max_s": 1e9}, run)
    assert (verdict.passed, verdict.reason) == (False, words)


def test_an_update_ends_when_the_new_targets_are_ready():
    late = disturbed(factories.update(new_ready_s=20.0, old_gone_s=2.0))
    for key, value in (("max_s", 20.0), ("max_s_per_target", 5.0)):
        verdict = judge_one("rolling_update_time", {key: 3}, late)
        assert (verdict.value, verdict.passed) == (value, False)
        never = disturbed(factories.update(new_ready_s=None))
        verdict = judge_one("rolling_update_time", {key: 1e9}, never)
        assert (verdict.value, verdict.passed) == (None, False)


def test_an_unknown_load_shows_no_recovery():
    run = disturbed(factories.fault(load=None))
    for key in ("max_s", "requests_max_s"):
        verdict = judge_one("recovery_time", {key: 1e9}, run)
        assert not verdict.passed
        assert verdict.reason == (
            "the result of the load during this time is unknown"
        )
    assert judge_one("recovery_time", {"pods_max_s": 1e9}, run).passed


def test_a_replacement_that_left_old_nodes_does_not_count():
    half = factories.node_change(
        purpose=bay_records.REPLACE,
        nodes_wanted=200,
        nodes_after=200,
        to_go=20,
        added=10,
        removed=10,
    )
    run = records.Run(node_changes=(half,))
    verdict = judge_one("node_replace_time", {"max_s": 1e9}, run)
    assert not verdict.passed
    assert verdict.reason == "only 10 of 20 nodes to remove are gone"
    unknown = dataclasses.replace(half, to_go=1, removed=None)
    run = records.Run(node_changes=(unknown,))
    verdict = judge_one("node_replace_time", {"max_s": 1e9}, run)
    assert not verdict.passed
    assert verdict.reason == "only 0 of 1 nodes to remove are gone"
    whole = dataclasses.replace(half, added=20, removed=20)
    run = records.Run(node_changes=(whole,))
    assert judge_one("node_replace_time", {"max_s": 1e9}, run).passed


@pytest.mark.parametrize(
    ("criterion", "key", "during"),
    [
        *(
            ("recovery_time", one[1], {})
            for one in EVENT_BOUNDS
            if one[0] == "recovery_time"
        ),
        ("request_errors", "max_ratio", {"during": "fault"}),
    ],
)
def test_a_fault_that_hit_no_target_shows_no_recovery(criterion, key, during):
    run = disturbed(factories.fault(targets_lost=0))
    verdict = judge_one(criterion, {key: 1e9, **during}, run)
    assert not verdict.passed
    assert verdict.reason == "no target ran on the lost nodes"


@pytest.mark.parametrize("status", ["CREATE_FAILED", "DELETE_FAILED"])
@pytest.mark.parametrize("criterion", ["bay_create_time", "bay_delete_time"])
def test_a_failed_status_fails_the_bay(criterion, status):
    bay = factories.bay(status=status)
    run = dataclasses.replace(GOOD, bays=(bay,))
    verdict = judge_one(criterion, {"max_s": 1e9}, run)
    assert not verdict.passed
    assert verdict.reason == f"the bay failed: {status}"


@pytest.mark.parametrize("value", [-5.0, -0.01])
def test_a_negative_value_can_not_be_right(value):
    run = dataclasses.replace(GOOD, bays=(factories.bay(create_s=value),))
    verdict = judge_one("bay_create_time", {"max_s": 1}, run)
    assert not verdict.passed
    assert verdict.reason == "a value below 0 is impossible"
    at_once = dataclasses.replace(GOOD, bays=(factories.bay(create_s=0.0),))
    assert judge_one("bay_create_time", {"max_s": 1}, at_once).passed


def late(**changes):
    """A bay whose times were seen long after they were over."""
    values = {
        "nodes": 10,
        "create_s": 34.2,
        "create_resolution_s": 29.1,
        "nodes_ready_s": 34.2,
        "nodes_ready_resolution_s": 29.1,
        "delete_s": 34.2,
        "delete_resolution_s": 29.1,
        "node_ready_s": dict.fromkeys(("p50", "p90", "p99", "max"), 34.2),
        "node_ready_resolution_s": 29.1,
    }
    return records.Run(bays=(factories.bay(**{**values, **changes}),))


def late_change(**changes):
    change = factories.node_change(
        magnum_s=34.2,
        magnum_resolution_s=29.1,
        drain_s=34.2,
        drain_resolution_s=29.1,
        nodes_s=34.2,
        nodes_resolution_s=29.1,
        nodes_wanted=210,
        nodes_after=210,
        **changes,
    )
    return records.Run(node_changes=(change,))


REPLACED = late_change(purpose=bay_records.REPLACE)
DISTURBED = records.Run(
    updates=(
        factories.update(
            targets=10,
            new_ready_s=5.0,
            new_ready_resolution_s=0.5,
            old_gone_s=34.2,
            old_gone_resolution_s=29.1,
        ),
    ),
    faults=(
        factories.fault(
            noticed_s=34.2,
            noticed_resolution_s=29.1,
            pods_ready_s=34.2,
            pods_ready_resolution_s=29.1,
            requests_s=34.2,
            begun_within_s=28.1,
        ),
    ),
)
LATE = [
    ("bay_create_time", "max_s", late(), 1),
    ("bay_create_time", "max_s_per_node", late(), 10),
    ("bay_delete_time", "max_s", late(), 1),
    ("bay_delete_time", "max_s_per_node", late(), 10),
    ("node_ready_time", "max_s", late(), 1),
    ("node_ready_time", "max_s_per_node", late(), 10),
    ("node_ready_time", "p50_s", late(), 1),
    ("node_ready_time", "p90_s", late(), 1),
    ("node_ready_time", "p99_s", late(), 1),
    ("bay_resize_time", "max_s", late_change(), 1),
    ("bay_resize_time", "max_s_per_node", late_change(), 10),
    ("node_replace_time", "drain_max_s", REPLACED, 1),
    ("node_replace_time", "drain_max_s_per_node", REPLACED, 10),
    ("bay_resize_time", "nodes_max_s", late_change(), 1),
    ("bay_resize_time", "nodes_max_s_per_node", late_change(), 10),
    ("node_replace_time", "max_s", REPLACED, 1),
    ("node_replace_time", "max_s_per_node", REPLACED, 10),
    ("rolling_update_time", "max_s", DISTURBED, 1),
    ("rolling_update_time", "max_s_per_target", DISTURBED, 10),
    ("recovery_time", "max_s", DISTURBED, 1),
    ("recovery_time", "notice_max_s", DISTURBED, 1),
    ("recovery_time", "pods_max_s", DISTURBED, 1),
    ("recovery_time", "requests_max_s", DISTURBED, 1),
]


@pytest.mark.parametrize(("criterion", "key", "run", "over"), LATE)
def test_a_bound_inside_the_interval_can_not_be_judged(
    criterion, key, run, over
):
    for asked in (5.2, 10, 34.1):
        verdict = judge_one(criterion, {key: asked / over}, run)
        assert verdict.undecided
        assert not verdict.passed
        unit = verdict.unit
        low, high = (
            verdicts.format_value(end / over, unit) for end in (5.1, 34.2)
        )
        assert f"the time is between {low} and {high} (" in verdict.reason
        bound = verdicts.format_value(asked / over, unit)
        assert f"so a bound of {bound} can't be judged" in verdict.reason


@pytest.mark.parametrize(("criterion", "key", "run", "over"), LATE)
def test_a_bound_outside_the_interval_holds_or_fails(
    criterion, key, run, over
):
    for asked in (34.2, 60):
        verdict = judge_one(criterion, {key: asked / over}, run)
        assert verdict.passed
        assert not verdict.reason
    for asked in (5.0, 5.1 - 1e-9):
        verdict = judge_one(criterion, {key: asked / over}, run)
        assert not verdict.passed
        assert not verdict.reason


def test_an_undecided_verdict_says_why_the_interval_is_wide():
    verdict = judge_one("bay_create_time", {"max_s": 10}, late())
    assert verdict.reason == (
        "the time is between 5.1 s and 34.2 s (neither Magnum nor the nodes "
        "were seen in between), so a bound of 10 s can't be judged"
    )


def test_a_record_without_a_resolution_has_the_poll_interval():
    old = {
        "create_resolution_s": None,
        "delete_resolution_s": None,
        "nodes_ready_resolution_s": None,
        "poll_interval_s": 2.0,
    }
    run = late(**old)
    for criterion in ("bay_create_time", "bay_delete_time"):
        assert judge_one(criterion, {"max_s": 33}, run).undecided
        assert not judge_one(criterion, {"max_s": 32}, run).reason
    assert not judge_one("node_ready_time", {"max_s": 34}, run).undecided
    change = factories.node_change(magnum_s=34.2, poll_interval_s=2.0)
    run = records.Run(node_changes=(change,))
    assert judge_one("bay_resize_time", {"max_s": 33}, run).undecided
    # The nodes are seen by a watch.
    assert not judge_one("bay_resize_time", {"nodes_max_s": 4}, run).undecided


def test_a_start_of_pods_may_be_wrong_either_way():
    run = dataclasses.replace(
        GOOD,
        throughput=dataclasses.replace(
            GOOD.throughput,
            pod_start_s={"p99": 3.0},
            pod_start_resolution_s=1.5,
            pods_unready=0,
            pods_timed=4,
        ),
    )
    for asked, state in (
        (1.4, (False, False)),
        (1.6, (False, True)),
        (4.4, (False, True)),
        (4.5, (True, False)),
    ):
        verdict = judge_one("pod_startup_time", {"p99_s": asked}, run)
        assert (verdict.passed, verdict.undecided) == state


def test_a_failed_bay_decides_before_an_undecided_one():
    bays = (
        *late(name="a").bays,
        factories.bay(name="b", create_s=11.0, create_resolution_s=0.5),
    )
    run = records.Run(bays=bays)
    assert judge_one("bay_create_time", {"max_s": 10}, run).bay == "b"
    assert judge_one("bay_create_time", {"max_s": 20}, run).bay == "a"


def test_a_value_without_a_bound_is_never_undecided():
    for one in verdicts.read("bay_create_time", {}, late()):
        assert not one.reason


def test_refused_time_stamps_fail_with_the_reason():
    why = "3 nodes have stamps that can't be right"
    run = late(node_ready_s=None, node_ready_missing=why)
    verdict = judge_one("node_ready_time", {"p99_s": 1e9}, run)
    assert (verdict.value, verdict.passed) == (None, False)
    assert verdict.reason == f"it was not measured: {why}"


def api_p99(**ends):
    kinds = {"mutating": {"requests": 9.0, **ends}}
    return records.Run(api_latency=bay_records.ApiLatency(kinds, {}))


def test_a_bound_inside_a_bucket_can_not_be_judged():
    run = api_p99(p99_s=0.92, p99_low_s=0.8, p99_high_s=1.0)
    for asked in (0.9, 0.95):
        verdict = judge_one("api_latency", {"mutating_p99_s": asked}, run)
        assert verdict.undecided
        assert not verdict.passed
        assert "between 0.8 s and 1 s (the buckets of the" in verdict.reason
    assert judge_one("api_latency", {"mutating_p99_s": 1}, run).passed
    fails = judge_one("api_latency", {"mutating_p99_s": 0.8}, run)
    assert (fails.passed, fails.reason) == (False, "")


@pytest.mark.parametrize("ends", [{}, {"p99_low_s": 0.8}, {"p99_high_s": 1.0}])
def test_a_quantile_without_a_known_bucket_is_judged_by_its_value(ends):
    run = api_p99(p99_s=0.92, **ends)
    for asked, holds in ((0.92, True), (0.91, False)):
        verdict = judge_one("api_latency", {"mutating_p99_s": asked}, run)
        assert (verdict.passed, verdict.reason) == (holds, "")


def test_a_quantile_in_the_last_bucket_satisfies_no_bound():
    run = api_p99(p99_s=None, p99_low_s=60.0, p99_high_s=None)
    verdict = judge_one("api_latency", {"mutating_p99_s": 1e9}, run)
    assert (verdict.value, verdict.passed) == (None, False)
    assert "the p99 lies above 60 s, in the last bucket" in verdict.reason


@given(
    strategies.floats(0.01, 100),
    strategies.floats(0, 1),
    strategies.floats(0.01, 100),
)
def test_a_verdict_holds_for_every_time_in_the_interval(value_s, share, asked):
    run = late(
        create_s=value_s,
        create_resolution_s=value_s * share,
        nodes_ready_s=value_s,
        nodes_ready_resolution_s=None,
    )
    verdict = judge_one("bay_create_time", {"max_s": asked}, run)
    if verdict.passed:
        assert value_s <= asked
    elif not verdict.undecided:
        assert asked <= value_s * (1 - share) * (1 + 1e-9) + 1e-9


@pytest.mark.parametrize("value", [float("inf"), float("nan"), True, "5"])
def test_a_value_that_is_not_a_number_fails(value):
    steps = [
        dataclasses.replace(one, achieved_rps=value)
        for one in GOOD.throughput.steps
    ]
    load = dataclasses.replace(GOOD.throughput, steps=steps)
    run = dataclasses.replace(GOOD, throughput=load)
    verdict = judge_one("request_rate", {"min_rps": 0}, run)
    assert not verdict.passed
    assert "is impossible" in verdict.reason


def test_no_bound_holds_in_a_failed_iteration():
    failed = dataclasses.replace(GOOD, error="Boom: it broke")
    judged = judge_one("request_rate", {"min_rps": 1}, failed)
    (read, *_) = verdicts.read("request_rate", {}, failed)
    for one in (judged, read):
        assert one.value > 1
        assert one.reason == "the iteration failed: Boom: it broke"
    # What was wrong before is told instead.
    bay = factories.bay(create_s=None, failure="quota", reason="no cores")
    early = dataclasses.replace(failed, bays=(bay,))
    said = judge_one("bay_create_time", {"max_s": 60}, early).reason
    assert "no cores" in said


def test_an_error_in_judging_fails_with_the_error():
    broken = dataclasses.replace(GOOD, bays=(None,))
    found = verdicts.judge("bay_create_time", {"max_s": 60}, broken)
    assert [one.passed for one in found] == [False]
    assert found[0].reason.startswith("it could not be judged: AttributeErr")
    assert found[0].bound != found[0].bound


@pytest.mark.parametrize(
    ("failures", "words"),
    [
        ({"timeout": 5_000}, "> 10 s (timed out)"),
        ({"refused": 5_000}, "no answer (refused)"),
    ],
)
def test_a_percentile_that_is_a_failed_request_satisfies_no_bound(
    failures, words
):
    run = factories.run(failures=failures)
    for key in ("p90_ms", "p99_ms", "max_ms"):
        verdict = judge_one("request_latency", {key: 1e12}, run)
        assert (verdict.value, verdict.passed) == (math.inf, False)
        assert not verdict.reason
        assert f"{words}, required: at most" in verdict.describe()
    assert judge_one("request_latency", {"p50_ms": 1e12}, run).passed


@pytest.mark.parametrize("module", frozen.modules(measurement))
def test_verdicts_and_their_parts_are_frozen(module):
    frozen.check(module)

"""Criteria that can never hold are refused before anything is created."""

import pytest
from rally import exceptions
from rally.task import engine
from rally.task import scenario
from rally.task import sla
from rally.task import task_cfg
from rally_openstack.task import scenario as openstack

from rally_magnum_scale.measurement import criteria
from rally_magnum_scale.task.scenarios import load_scenarios
from rally_magnum_scale.task.scenarios import measured

STEPS = [
    {"rate_rps": 500, "duration_s": 60},
    {"rate_rps": 1000, "duration_s": 60},
]
FAULTS = [{"how": "network", "nodes": 1}]
BAYS = {"bays@openstack": {"nodes": 2}}
# As little as each scenario can do with.
ARGUMENTS = {
    "create_and_delete_bay": {"nodes": 3},
    "find_max_rate": {"nodes": 3, "bounds": {"p99_ms": 5}},
    "find_max_rate_in_bay": {"bounds": {"p99_ms": 5}},
    "node_failure_under_load": {"nodes": 3, "steps": STEPS, "faults": FAULTS},
    "node_failure_under_load_in_bay": {"steps": STEPS, "faults": FAULTS},
    "replace_nodes": {"nodes": 3, "count": 1},
    "resize_bay": {"nodes": 3, "sizes": [5]},
    "rolling_update_under_load": {"nodes": 3, "steps": STEPS},
    "rolling_update_under_load_in_bay": {"steps": STEPS},
    "throughput": {"nodes": 3, "steps": STEPS},
    "throughput_in_bay": {"steps": STEPS},
}
# Each criterion with a bound that may hold.
BOUNDS = {
    **{
        name: {next(iter(criterion.bounds)): 1}
        for name, criterion in criteria.CRITERIA.items()
    },
    "no_regression": {"history": "runs.jsonl"},
}


def errors(name, asked, contexts=None, **changes):
    """Return what is said of a task with these criteria."""
    arguments = {**ARGUMENTS[name], **changes}
    made = BAYS if name.endswith("_in_bay") else {}
    return scenario.Scenario.validate(
        f"MagnumScale.{name}",
        None,
        {
            "args": arguments,
            "contexts": made if contexts is None else contexts,
            "sla": asked,
            "runner": {},
        },
        None,
        vtype="syntax",
    )


def said(name, asked, contexts=None, **changes):
    """Return the sentence on a task with these criteria, which must fail."""
    (found,) = errors(name, asked, contexts, **changes)
    head, _, sentence = found.partition("Details: ")
    assert "magnum_scale_criteria@default" in head
    assert sentence.endswith(".")
    return sentence


def short_names():
    return {
        each.get_name().removeprefix("MagnumScale.")
        for each in scenario.Scenario.get_all(allow_hidden=True)
        if each.__module__.startswith("rally_magnum_scale.")
    }


def test_the_table_has_every_scenario_and_every_criterion():
    known = {each.get_name() for each in measured.MEASURED}
    assert known == {f"MagnumScale.{name}" for name in short_names()}
    ours = {
        each.get_name()
        for each in sla.SLA.get_all()
        if each.__module__.startswith("rally_magnum_scale.")
    }
    assert set().union(*measured.MEASURED.values()) == ours == set(BOUNDS)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_scenario_measures_what_its_arguments_let_happen(name):
    cls = scenario.Scenario.get(f"MagnumScale.{name}")
    takes = set(cls.get_info()["schema"]["properties"])
    found = measured.measured_by(cls)
    for criterion, argument in (
        ("bay_delete_time", "nodes"),
        ("request_rate", "targets"),
        ("request_latency", "targets"),
        ("request_errors", "targets"),
        ("pod_startup_time", "targets"),
        ("max_rate", "bounds"),
        ("bay_resize_time", "sizes"),
        ("node_replace_time", "count"),
        ("rolling_update_time", "update"),
        ("recovery_time", "faults"),
    ):
        assert (criterion in found) == (argument in takes), criterion
    assert found >= {
        "api_latency",
        "bay_create_time",
        "driver_lag",
        "node_ready_time",
        "no_regression",
    }


@pytest.mark.parametrize("criterion", BOUNDS)
@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_criterion_is_refused_where_the_scenario_does_not_measure_it(
    name, criterion
):
    cls = scenario.Scenario.get(f"MagnumScale.{name}")
    measures = criterion in measured.MEASURED[cls]
    lost = measures and criterion == "recovery_time"
    changes = {"faults": FAULTS} if lost else {}
    for key in (criterion, f"{criterion}@default"):
        asked = {key: BOUNDS[criterion]}
        if measures:
            assert errors(name, asked, **changes) == []
            continue
        sentence = said(name, asked)
        assert sentence.startswith(f"sla.{key}: MagnumScale.{name} measures ")
        able = measured.scenarios_that_measure(criterion)
        choice = "one of " if len(able) > 1 else ""
        assert sentence.endswith(f", or use {choice}{', '.join(able)}.")


def test_a_scenario_that_is_derived_from_ours_measures_the_same():
    class Derived(load_scenarios.ThroughputScenario):
        """Not registered."""

    assert measured.measured_by(Derived) == measured.measured_by(
        load_scenarios.ThroughputScenario
    )
    assert measured.measured_by(scenario.Scenario) == frozenset()


@pytest.mark.parametrize("name", ["Dummy.dummy", "Authenticate.keystone"])
@pytest.mark.parametrize("criterion", BOUNDS)
def test_a_scenario_of_others_has_no_records_for_ours(name, criterion):
    for key in (criterion, f"{criterion}@default"):
        found = scenario.Scenario.validate(
            name,
            None,
            {"args": {}, "contexts": {}, "sla": {key: BOUNDS[criterion]}},
            None,
            vtype="syntax",
        )
        (sentence,) = found
        assert f"sla.{key}: {name} measures nothing" in sentence
        assert "MagnumScale." in sentence


def test_criteria_of_others_are_none_of_our_business():
    others = {
        "failure_rate": {"max": 0},
        "max_seconds_per_iteration": 4,
        "request_rate@elsewhere": {"min_rps": 1},
    }
    for name in ("Dummy.dummy", "MagnumScale.create_and_delete_bay"):
        arguments = {"nodes": 1} if "Magnum" in name else {}
        workload = {"args": arguments, "contexts": {}, "sla": others}
        assert not scenario.Scenario.validate(
            name, None, workload, None, vtype="syntax"
        )


@pytest.fixture
def late_scenarios():
    """Load scenarios, of Rally's kind and of OpenStack's, after all others."""
    late = [
        scenario.configure(f"Late.{base.__name__}")(type("Late", (base,), {}))
        for base in (scenario.Scenario, openstack.OpenStackScenario)
    ]
    yield late
    for each in late:
        each.unregister()


def test_every_scenario_is_checked_once_whenever_it_is_loaded(late_scenarios):
    every = scenario.Scenario.get_all(allow_hidden=True)
    assert set(late_scenarios) < set(every)
    assert len(every) > 100
    for each in every:
        names = [name for name, _, _ in each._meta_get("validators")]
        assert names.count("magnum_scale_criteria") == 1, each.get_name()


def test_each_criterion_that_can_not_hold_is_told_of():
    asked = {name: BOUNDS[name] for name in ("request_rate", "max_rate")}
    sentence = said("resize_bay", asked)
    assert "sla.request_rate: " in sentence
    assert "sla.max_rate: " in sentence


@pytest.mark.parametrize("key", ["request_rate", "request_rate@default"])
def test_a_step_beyond_the_list_is_refused(key):
    asked = {key: {"min_rps": 1, "step": 3}}
    assert said("throughput", asked) == (
        f"sla.{key}.step: there is no step 3, only 2; give a number from 1 "
        "to 2, or leave step out for the last one."
    )
    for step in (1, 2):
        assert not errors("throughput", {key: {"min_rps": 1, "step": step}})


def test_a_search_has_no_more_steps_than_it_may_take():
    asked = {"request_errors": {"max_ratio": 0, "step": 21}}
    assert "no step 21, only 20" in said("find_max_rate", asked)
    assert not errors("find_max_rate", asked, max_steps=21)
    assert "only 9" in said("find_max_rate_in_bay", asked, max_steps=9)


def test_a_rate_above_the_offer_is_refused():
    assert said("throughput", {"request_rate": {"min_rps": 1001}}) == (
        "sla.request_rate.min_rps: 1,001 rps can't be reached with "
        "steps[1].rate_rps of 1,000, as no more is served than is offered; "
        "ask for less, or offer more."
    )
    first = {"request_rate": {"min_rps": 501, "step": 1}}
    assert "steps[0].rate_rps of 500" in said("throughput", first)


@pytest.mark.parametrize(
    ("asked", "changes"),
    [
        ({"min_rps": 1000}, {}),
        ({"min_rps": 500, "step": 1}, {}),
        # By chance more may be due than on average.
        ({"min_rps": 1001}, {"arrivals": "poisson"}),
        ({"min_rps": 1e9}, {"steps": [{"rate_rps": None, "duration_s": 5}]}),
        # An event may last into a step that offers more.
        ({"min_rps": 1e9, "during": "fault"}, {"faults": FAULTS}),
        ({"min_rps_per_core": 1e9}, {}),
    ],
    ids=str,
)
def test_a_rate_that_may_be_reached_is_accepted(asked, changes):
    assert errors("throughput", {"request_rate": asked}, **changes) == []


def test_a_search_that_goes_no_higher_finds_no_higher_rate():
    asked = {"max_rate": {"min_rps": 101}}
    assert said("find_max_rate", asked, max_rps=100) == (
        "sla.max_rate.min_rps: 101 rps can't be reached with max_rps of 100, "
        "as no more is served than is offered; ask for less, or offer more."
    )
    for changes in (
        {},
        {"max_rps": None},
        {"max_rps": 101},
        {"max_rps": 100, "arrivals": "poisson"},
    ):
        assert errors("find_max_rate", asked, **changes) == []


@pytest.mark.parametrize("name", ["throughput", "rolling_update_under_load"])
def test_there_is_no_recovery_where_no_node_is_lost(name):
    recovery = {"recovery_time": {"max_s": 60}}
    during = {"request_errors": {"max_ratio": 0, "during": "fault"}}
    for faults in ({}, {"faults": []}):
        assert said(name, recovery, **faults) == (
            "sla.recovery_time: no node is lost, as the argument faults has "
            "no entry; give at least one fault, or leave this out."
        )
        assert said(name, during, **faults).startswith(
            "sla.request_errors.during: no node is lost"
        )
    assert errors(name, {**recovery, **during}, faults=FAULTS) == []


@pytest.mark.parametrize(
    ("name", "event"),
    [
        ("throughput", "update"),
        ("node_failure_under_load_in_bay", "update"),
        ("find_max_rate", "update"),
        ("find_max_rate", "fault"),
    ],
)
def test_an_event_that_the_scenario_does_not_have_is_refused(name, event):
    asked = {"request_latency": {"p99_ms": 5, "during": event}}
    sentence = said(name, asked)
    assert sentence.startswith(
        f"sla.request_latency.during: MagnumScale.{name} has no {event}; "
    )
    assert "_under_load" in sentence


def test_an_update_is_there_to_be_judged():
    asked = {"request_latency": {"p99_ms": 5, "during": "update"}}
    assert errors("rolling_update_under_load_in_bay", asked) == []


@pytest.mark.parametrize(
    ("criterion", "key"),
    [
        ("bay_create_time", "max_s"),
        ("driver_lag", "early_max_s"),
        ("node_ready_time", "max_s"),
    ],
)
def test_the_task_must_make_the_bay_whose_making_is_judged(criterion, key):
    asked = {criterion: {key: 60}}
    assert errors("throughput_in_bay", asked) == []
    (sentence,) = (
        each
        for each in errors("throughput_in_bay", asked, contexts={}, bay="b")
        if "magnum_scale_criteria" in each
    )
    assert sentence.endswith(
        f"sla.{criterion}: this task does not make the bay that the argument "
        "bay gives; leave the criterion out, or let the context "
        "bays@openstack make the bay."
    )
    found = errors("throughput_in_bay", asked, contexts={}, kubeconfig="/none")
    assert any("the argument kubeconfig gives" in each for each in found)


def test_a_bay_that_is_kept_is_not_deleted():
    asked = {"bay_delete_time": {"max_s": 60}}
    assert said("create_and_delete_bay", asked, keep_bay=True) == (
        "sla.bay_delete_time: the bay is not deleted, as keep_bay is true; "
        "leave one of the two out."
    )
    assert errors("create_and_delete_bay", asked, keep_bay=False) == []


def test_the_counters_of_one_of_several_masters_judge_nothing():
    asked = {"api_latency": {"get_p99_s": 1}}
    for masters in (2, 3):
        assert said("create_and_delete_bay", asked, masters=masters) == (
            f"sla.api_latency: each of the {masters} masters counts only its "
            "own requests; leave the criterion out, or set the argument "
            "masters to 1."
        )
    assert errors("create_and_delete_bay", asked, masters=1) == []
    others = {"bay_create_time": {"max_s": 1}}
    assert errors("create_and_delete_bay", others, masters=3) == []


@pytest.mark.parametrize("key", ["drain_max_s", "drain_max_s_per_node"])
def test_nodes_that_are_not_drained_have_no_time_of_that(key):
    asked = {"node_replace_time": {"max_s": 9, key: 60}}
    assert said("replace_nodes", asked, drain=False).startswith(
        f"sla.node_replace_time.{key}: no node is drained"
    )
    assert errors("replace_nodes", asked) == []
    others = {"node_replace_time": {"max_s": 9}}
    assert errors("replace_nodes", others, drain=False) == []


def test_the_cpu_time_of_an_event_is_not_measured():
    key = "min_requests_per_cpu_s"
    asked = {"request_rate": {key: 1, "during": "update"}}
    assert said("rolling_update_under_load", asked).startswith(
        f"sla.request_rate.{key}: the CPU time of an event is not measured"
    )
    of_step = {"request_rate": {key: 1}}
    assert errors("rolling_update_under_load", of_step) == []


@pytest.mark.parametrize(
    ("name", "metric", "words"),
    [
        ("throughput", "request_rat", "names no criterion"),
        ("throughput", "api_errors.max", "is not compared"),
        ("throughput", "request_rate step 1", "names no criterion"),
        ("throughput", "request_rate.min_rsp", "no bound 'min_rsp'"),
        ("throughput", "request_rate.min_rps step 3", "no step 3, only 2"),
        ("throughput", "max_rate", "measures nothing"),
        (
            "rolling_update_under_load",
            "request_rate.min_requests_per_cpu_s during update 1",
            "the CPU time of an event is not measured",
        ),
        ("throughput", "recovery_time.max_s fault 1", "no node is lost"),
        ("throughput", "request_rate.min_rps during update 1", "no update"),
        ("create_and_delete_bay", "request_latency.p99_ms", "nothing"),
        ("find_max_rate", "request_rate", "differ from run to run"),
    ],
)
def test_a_metric_that_is_never_measured_is_not_compared(name, metric, words):
    metrics = ["bay_create_time", metric]
    asked = {"no_regression": {"history": "h", "metrics": metrics}}
    sentence = said(name, asked)
    assert sentence.startswith("sla.no_regression.metrics[1]")
    assert words in sentence


@pytest.mark.parametrize(
    ("name", "metrics"),
    [
        ("throughput", ["request_rate.min_rps step 2", "api_latency"]),
        ("find_max_rate", ["max_rate.min_rps", "pod_startup_time.p99_s"]),
        (
            "rolling_update_under_load",
            ["request_errors.max_ratio during update 1"],
        ),
        ("resize_bay", ["bay_resize_time.max_s change 2"]),
        # It has two steps, but there may be more events.
        ("node_failure_under_load", ["recovery_time.max_s fault 3"]),
    ],
)
def test_a_metric_that_may_be_measured_is_compared(name, metrics):
    asked = {"no_regression": {"history": "h", "metrics": metrics}}
    assert errors(name, asked) == []


@pytest.mark.parametrize(
    "asked",
    [
        None,
        5,
        "x",
        [],
        {"min_rps": "5", "step": "x"},
        {"min_rps": 1, "step": None},
        {"min_rps": 1, "during": ["fault"]},
        {"min_rps": None, "step": 0},
        {"min_rps": 1e9, "step": 0.5},
        {"min_rps": 1e9, "step": -1},
    ],
    ids=str,
)
def test_what_has_the_wrong_type_is_left_to_others(asked):
    for name in ("throughput", "find_max_rate"):
        assert errors(name, {"request_rate": asked}) == []


@pytest.mark.parametrize(
    "steps", [None, 5, "x", [], [5], [{"rate_rps": "x", "duration_s": 5}]]
)
def test_steps_that_are_wrong_are_refused_by_others(steps):
    asked = {"request_rate": {"min_rps": 1, "step": 3}}
    found = errors("throughput", asked, steps=steps)
    assert found
    assert not any("magnum_scale_criteria" in each for each in found)
    assert not any("Traceback" in each for each in found)


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_search_that_is_given_steps_is_refused_by_others(step):
    asked = {"request_rate": {"min_rps": 501, "step": step}}
    found = errors("find_max_rate", asked, steps=STEPS)
    assert any("steps" in each for each in found)
    assert not any("Traceback" in each for each in found)


def test_a_task_without_criteria_has_none_that_are_wrong():
    assert errors("throughput", None) == []


def test_rally_refuses_the_task_before_it_speaks_to_a_cloud():
    subtask = {
        "title": "t",
        "scenario": {
            "MagnumScale.create_and_delete_bay": ARGUMENTS[
                "create_and_delete_bay"
            ]
        },
        "sla": {"request_rate@default": {"min_rps": 1}},
    }
    task = {"version": 2, "title": "t", "subtasks": [subtask]}
    config = task_cfg.TaskConfig(task)
    checker = engine.TaskEngine(config, {"uuid": "x"}, None)
    with pytest.raises(
        exceptions.InvalidTaskConfig, match="sla.request_rate@default: Magnum"
    ):
        checker._validate_config_syntax(config)

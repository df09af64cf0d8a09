import dataclasses
import re

import pytest

from rally_magnum_scale.measurement import verdicts
from rally_magnum_scale.report import conclusion
from rally_magnum_scale.report import formatting
from rally_magnum_scale.report import model
from rally_magnum_scale.report import page
from rally_magnum_scale.report import table
from tests.unit import factories

P99 = {"request_latency": {"p99_ms": 0.001}}
BAD_SLA = {**factories.GOOD_SLA, **P99, "bay_create_time": {"max_s": 1}}


def conclude(*workloads):
    return conclusion.conclude(workloads)


def test_all_hold():
    found = conclude(factories.workload())
    assert found == conclusion.Conclusion("pass", "All 8 bounds hold.")


def test_the_only_one_holds():
    alone = factories.workload(
        sla={"bay_create_time": {"max_s": 60}}, sla_results=()
    )
    assert conclude(alone).sentence == "The only bound holds."


def test_the_furthest_off_is_named_with_its_distance():
    found = conclude(factories.workload(sla=BAD_SLA))
    assert found.state == "fail"
    assert found.sentence.startswith(
        "2 of 7 bounds do not hold; the furthest off: request_latency "
        "p99_ms in step 2: 2.9"
    )
    assert "ms, but at most 0.001 ms is required (29" in found.sentence
    assert found.sentence.endswith(" % off).")


def test_the_workload_is_named_where_there_are_several():
    bad = factories.workload(sla=P99, title="the slow one", sla_results=())
    found = conclude(factories.workload(), bad)
    assert "1 of 9 bounds does not hold; the slow one: " in found.sentence


def test_missing_data_are_no_distance():
    found = conclude(factories.failed_create())
    assert found.state == "fail"
    assert found.sentence == (
        "8 of 8 bounds do not hold; the first of them: request_rate "
        "min_rps: at least 19,000 rps is required, but no load was "
        "measured. 1 of 1 iteration failed."
    )


def test_an_invalid_value_does_not_count():
    run = factories.run(reasons=["a worker died"])
    found = conclude(
        factories.workload(
            factories.iteration(of_run=run),
            sla={"request_rate": {"min_rps": 1}},
            sla_results=(),
        )
    )
    assert "does not count: a worker died." in found.sentence


def test_a_criterion_of_rally_alone_can_fail():
    stored = dataclasses.replace(factories.FAILURE_RATE, success=False)
    found = conclude(factories.workload(sla_results=(stored,)))
    assert found.sentence.startswith(
        "1 of 8 bounds does not hold; failure_rate: Failure rate criteria"
    )


@pytest.mark.parametrize(
    ("workload", "state", "sentence"),
    [
        (
            factories.workload(sla={}, sla_results=()),
            "warn",
            "No bound is set.",
        ),
        (
            factories.workload(
                factories.iteration(error=("Boom", "it broke")),
                sla={},
                sla_results=(),
            ),
            "fail",
            "No bound is set; 1 of 1 iteration failed.",
        ),
        (
            factories.workload(
                factories.iteration(error=("Boom", "it")),
                sla={"failure_rate": {"max": 100}},
            ),
            "fail",
            "The only bound holds, but 1 of 1 iteration failed.",
        ),
        (
            factories.workload(
                sla={"failure_rate": {"max": 0}}, planned_iterations=10
            ),
            "fail",
            "The only bound holds, but 1 of 10 iterations have a result.",
        ),
        (
            factories.workload(sla={"failure_rate": {"max": 0}}, ended=False),
            "fail",
            "The only bound holds, but the task did not finish.",
        ),
    ],
)
def test_what_no_bound_tells_is_told_beside_them(workload, state, sentence):
    assert conclude(workload) == conclusion.Conclusion(state, sentence)


def test_a_task_without_workload_fails():
    assert conclude().state == "fail"
    assert "the task has no workload" in conclude().sentence


def test_where_rally_stored_a_failure_no_bound_of_ours_holds():
    stored = model.SlaResult("request_rate", False, "")
    found = conclude(
        factories.workload(sla_results=(stored, factories.FAILURE_RATE))
    )
    assert found.state == "fail"
    assert found.sentence.startswith("2 of 8 bounds do not hold; ")
    assert found.sentence.endswith(
        "does not count: Rally stored request_rate as failed."
    )


def test_where_rally_stored_that_it_holds_and_it_does_not_both_are_told():
    sla = {"request_rate": {"min_rps": 9e6}}
    stored = model.SlaResult("request_rate", True, "")
    found = conclude(factories.workload(sla=sla, sla_results=(stored,)))
    assert found.state == "fail"
    assert found.sentence.endswith(
        "off). Rally stored request_rate as holding."
    )


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "200 nodes: 1 real and 199 hollow"),
        ({"nodes_real": 200, "nodes_hollow": 0}, "200 nodes, all real"),
        (
            {"nodes": 1, "nodes_real": None},
            "1 node; real and hollow were not counted",
        ),
    ],
)
def test_real_and_hollow_nodes_are_told_apart(changes, text):
    assert formatting.nodes(factories.bay(**changes)) == text


def test_errors_are_told_by_kind():
    run = factories.run(failures={"timeout": 40, "HTTP 503": 12})
    said = formatting.errors(run.throughput.steps[0])
    assert said.startswith("520 (0.5")
    assert said.endswith(" %: HTTP 503 120, timeout 400)")


def test_a_bound_of_zero_has_no_share():
    run = factories.run(failures={"timeout": 1})
    (verdict,) = factories.workload(
        factories.iteration(of_run=run),
        sla={"request_errors": {"max_ratio": 0}},
    ).verdicts()
    assert formatting.margin_percent(verdict) == ""
    assert formatting.margin(verdict).startswith("-0.00005")
    assert "(" not in conclusion.say_verdict(verdict)


def event_verdicts(**sla):
    run = dataclasses.replace(
        factories.updated(),
        faults=(factories.fault(failure="timeout", reason="3 of 6 serve"),),
        node_changes=(factories.node_change(failure="x", reason="no host"),),
    )
    return factories.workload(
        factories.iteration(of_run=run), sla=sla, sla_results=()
    )


@pytest.mark.parametrize(
    ("sla", "said"),
    [
        (
            {"request_errors": {"max_ratio": 0.0002, "during": "update"}},
            "request_errors max_ratio during update 1: 0.0004, but at most "
            "0.0002 is required (100 % off).",
        ),
        (
            {"rolling_update_time": {"max_s_per_target": 2}},
            "rolling_update_time max_s_per_target of update 1: 2.4 s/target"
            ", but at most 2 s/target is required (20 % off).",
        ),
        (
            {"recovery_time": {"max_s": 60}},
            "recovery_time max_s of fault 1: 9.8 s (at most 60 s is "
            "required) does not count: it failed: 3 of 6 serve.",
        ),
        (
            {"request_rate": {"min_rps": 1e6, "step": 1}},
            "request_rate min_rps in step 1: 9,930 rps, but at least "
            "1,000,000 rps is required (99 % off).",
        ),
    ],
)
def test_the_sentence_names_the_event_that_was_judged(sla, said):
    sentence = conclude(event_verdicts(**sla)).sentence
    assert sentence == f"1 of 1 bound does not hold; {said}"


def test_without_an_event_the_sentence_says_so():
    config = {"max_ratio": 1, "during": "fault"}
    found = conclude(
        factories.workload(sla={"request_errors": config}, sla_results=())
    )
    assert found.sentence.endswith(
        "request_errors max_ratio: at most 1 is required, but no node "
        "fault was injected."
    )


def test_reasons_name_the_event_that_they_are_of():
    workload = event_verdicts(
        request_errors={"max_ratio": 1, "during": "fault"},
        recovery_time={"max_s": 60},
        bay_resize_time={"max_s": 60},
    )
    assert conclusion.reasons(workload.verdicts()) == [
        "request_errors max_ratio during fault 1, recovery_time max_s of "
        "fault 1: it failed: 3 of 6 serve.",
        "bay_resize_time max_s of change 1: it failed: no host.",
    ]


@pytest.mark.parametrize(
    ("ratio", "said"),
    [(None, "-"), (0.0, "0"), (0.25, "25 %"), (1e-9, "under 0.001 %")],
)
def test_a_ratio_is_a_percentage(ratio, said):
    assert formatting.ratio(ratio) == said


def test_versions_are_told_with_share_and_count():
    assert formatting.shares({"2": 3, "1": 1}) == (
        "version 1: 25 % (1), version 2: 75 % (3)"
    )
    assert formatting.shares({"1": 0}) == "version 1: 0 (0)"
    assert formatting.shares({}) == ""
    assert formatting.kind("pods_ready_again") == "pods ready again"


@pytest.mark.parametrize(
    ("success", "detail", "word"),
    [
        (True, "none of 3 metrics is known to be worse - Passed", "holds"),
        (True, "learning (3 of 5 runs) - Learning", "learning"),
        (False, "learning (3 of 5 runs) - Failed", "fails"),
        (True, "", "holds"),
    ],
)
def test_a_criterion_that_is_learning_is_not_shown_as_holding(
    success, detail, word
):
    stored = model.SlaResult("no_regression", success, detail)
    assert formatting.stored_outcome(stored) == word
    shown = factories.report(factories.workload(sla_results=[stored]))
    assert f"{word if success else 'FAILS'}  no_reg" in table.render(shown)
    side = {"holds": "pass", "fails": "fail", "learning": "warn"}[word]
    row = rf'<td class="word {side}">. {word}</td><th scope="row">no_reg'
    assert re.search(row, page.render(shown))


def test_a_criterion_that_is_learning_is_not_counted_as_holding():
    told = model.SlaResult(
        "no_regression", True, "learning (3 of 5 runs) - Learning"
    )
    other = model.SlaResult("failure_rate", True, "fine - Passed")
    for results, said in (
        (
            [other, told],
            "The only bound holds; no_regression is still learning.",
        ),
        ([told], "no_regression is still learning."),
    ):
        workload = factories.workload(sla={}, sla_results=results)
        found = conclusion.conclude([workload])
        assert (found.state, found.sentence) == ("pass", said)


def test_a_bound_that_can_not_be_judged_is_invalid():
    late = factories.bay(
        create_s=34.2, create_resolution_s=29.1, nodes_ready_s=5.0
    )
    run = dataclasses.replace(factories.run(), bays=(late,))
    (verdict,) = verdicts.judge("bay_create_time", {"max_s": 10}, run)
    assert formatting.outcome(verdict) == "invalid"


def test_a_time_is_told_with_what_it_is_exact_to():
    late = factories.bay(create_s=34.2, create_resolution_s=29.1)
    assert formatting.bay_time(late, "create_s") == "34.2 s (exact to 29.1 s)"
    old = factories.bay(create_s=34.2, create_resolution_s=None)
    assert formatting.bay_time(old, "create_s") == "34.2 s (exact to 1 s)"
    none = factories.bay(create_s=None)
    assert formatting.bay_time(none, "create_s") == "-"


def test_refused_time_stamps_are_told_in_place_of_percentiles():
    bay = factories.bay(node_ready_s=None, node_ready_missing="clocks differ")
    assert formatting.nodes_ready(bay) == "not known: clocks differ"


def test_pod_starts_without_percentiles_are_drawn():
    run = factories.run()
    load = dataclasses.replace(run.throughput, pod_start_s={"max": 3.0})
    said = formatting.load(dataclasses.replace(run, throughput=load))
    assert "pods Ready - after their creation (p99 -)" in said
    load = dataclasses.replace(load, pod_start_resolution_s=0.5)
    said = formatting.load(dataclasses.replace(run, throughput=load))
    assert "after their creation (p99 -) (exact to 0.5 s)" in said

import dataclasses

import pytest

from rally_magnum_scale.report import model
from rally_magnum_scale.report import page
from rally_magnum_scale.report import table
from tests.unit import factories

SLA = {**factories.GOOD_SLA, "bay_create_time": {"max_s": 1}}
FAILING = factories.report(factories.workload(sla=SLA))


def line_with(text, *words):
    return next(
        line
        for line in text.splitlines()
        if all(word in line for word in words)
    )


def test_each_bound_has_a_line_with_its_figures():
    text = table.render(FAILING, width=110)
    line = line_with(text, "bay_create_time")
    assert line.split() == (
        [
            "FAILS",
            "bay_create_time",
            "max_s",
            "12.4",
            "s",
            "<=",
            "1",
            "-11.4",
            "s",
            "-1,140",
            "%",
        ]
    )
    assert line_with(text, "min_rps ").startswith("holds")
    assert "holds  failure_rate: Failure rate" in text


def test_it_closes_with_the_verdict_in_words():
    last = table.render(FAILING, width=200).splitlines()[-1]
    assert last == (
        "1 of 8 bounds does not hold; bay_create_time max_s: 12.4 s, but "
        "at most 1 s is required (1,140 % off)."
    )


def test_columns_are_aligned():
    lines = table.render(FAILING, width=110).splitlines()[2:10]
    head = lines[0]
    # Figures end where their heading ends.
    for name, figure in (("Measured", "12.4 s"), ("Required", "<= 1")):
        line = line_with("\n".join(lines), "bay_create_time")
        end = head.index(name) + len(name)
        assert line[:end].endswith(figure)


@pytest.mark.parametrize("width", [40, 60, 80, 100, 140])
def test_no_line_is_wider_than_the_terminal(width):
    report = factories.report(
        factories.workload(sla=SLA), factories.failed_create()
    )
    for line in table.render(report, width).splitlines():
        assert table.display_width(line) <= width


def test_reasons_stand_below_once():
    run = factories.run(reasons=["worker rms-worker-2 died"])
    text = table.render(
        factories.report(factories.workload(factories.iteration(of_run=run))),
        width=300,
    )
    assert line_with(text, "min_rps ").startswith("INVALID")
    assert text.count("- request_rate min_rps, request_rate min_rps") == 1
    assert "request_errors max_ratio: worker rms-worker-2 died." in text
    assert line_with(text, "20,000 ", "19,8").endswith("NO")


def test_missing_data_are_told_with_the_error():
    text = table.render(factories.report(factories.failed_create()), 300)
    assert line_with(text, "min_rps ").startswith("NO DATA")
    assert "Failed: BayCreateFailed: Magnum could not create" in text
    assert "not created; nodes not all Ready; deleted in 3.2 s" in text


def test_the_life_of_the_bay_and_the_steps_are_there():
    text = table.render(FAILING, width=200)
    assert (
        "Bay of 200 nodes: 1 real and 199 hollow; created in 12.4 s "
        "(exact to 1.03 s); all nodes Ready after 12.1 s (exact to 1.2 s); "
        "deleted in 3.2 s (exact to 1.02 s); 0.0605 s a node; p50 9.1 s, p90 "
        "10.2 s, p99 11.8 s (exact to 1 s); the plugin used 136.3 MB at most."
    ) in " ".join(text.split())
    assert line_with(text, "10,000", "9,930").endswith("yes")


def test_an_empty_sla_is_told():
    report = factories.report(factories.workload(sla={}, sla_results=()))
    text = table.render(report)
    assert "The SLA section is empty." in text
    assert text.endswith("No bound is set.\n")


def test_a_task_without_workload_is_told():
    text = table.render(factories.report(workloads=()))
    assert "the task has no workload" in text


def test_iterations_are_numbered_where_there_are_several():
    text = table.render(
        factories.report(
            factories.workload(factories.iteration(1), factories.iteration(2))
        )
    )
    assert "\nIteration 1\n" in text
    assert "\nIteration 2\n" in text


@pytest.mark.parametrize(
    ("text", "columns"), [("abc", 3), ("日本", 4), ("e\u0301", 1), ("", 0)]
)
def test_width_is_that_of_the_terminal(text, columns):
    assert table.display_width(text) == columns


@pytest.mark.parametrize(
    ("counted", "told"),
    [
        (None, "the counts of the targets are unknown"),
        (1234, "against the 1,234 that the targets counted"),
        (factories.run().end.requests, "as many as the"),
    ],
)
def test_requests_stand_beside_what_the_targets_counted(counted, told):
    run = factories.run()
    load = dataclasses.replace(
        run.throughput, requests_counted_by_targets=counted
    )
    seen = dataclasses.replace(run, throughput=load)
    report = factories.report(
        factories.workload(iterations=[model.Iteration(1, seen)])
    )
    expected = f"{run.end.requests:,} answered as expected"
    for text in (table.render(report, width=200), page.render(report)):
        assert expected in text
        assert told in text


def several_bays():
    run = factories.run()
    bays = tuple(
        factories.bay(name=f"rms-{name}", uuid=name, **changes)
        for name, changes in (
            ("a", {}),
            ("b", {"create_s": 99.0, "template_name": "local"}),
            ("c", {}),
        )
    )
    return factories.workload(
        factories.iteration(1, dataclasses.replace(run, bays=bays))
    )


def test_several_bays_are_a_table_and_the_worst_is_named():
    text = table.render(factories.report(several_bays()), width=200)
    assert (
        line_with(text, "rms-a", "kubernetes-sandbox").split()[-1] == "136.3"
    )
    assert "99" in line_with(text, "rms-b", "local").split()
    assert line_with(text, "FAILS", "bay_create_time").split()[3] == "rms-b"
    assert "max_s of the bay rms-b: 99 s, but at most 60 s" in text
    assert "Bay of 200 nodes" not in text
    assert "Load in the bay rms-c from 2 workers" in text


def test_a_wide_table_goes_on_below_and_loses_nothing():
    report = factories.report(several_bays())
    wide, slim = (table.render(report, width) for width in (300, 70))
    head = line_with(wide, "Iteration", "Peak MB").split("  ")
    for name in filter(None, map(str.strip, head)):
        assert name in slim
    assert slim.count("rms-c ") > wide.count("rms-c ")
    assert all(len(line) <= 70 for line in slim.splitlines())


def test_workloads_begin_with_a_ladder():
    report = factories.report(several_bays(), factories.workload())
    text = table.render(report, width=200)
    assert text.startswith("Side by side. A row for each workload.")
    alone = table.render(factories.report(), width=200)
    assert "Side by side" not in alone


def test_iterations_are_summed_up_before_each_is_told():
    pair = [factories.iteration(n) for n in (1, 2)]
    text = table.render(factories.report(factories.workload(*pair)), 200)
    assert text.index("2 iterations, none of them failed.") < text.index(
        "\nIteration 1\n"
    )
    assert line_with(text, "Rate of the last step").split()[-4] == "2"
    assert "iterations, none" not in table.render(factories.report())


def test_a_load_of_a_locust_file_says_how_many_users_it_had():
    run = factories.run()
    load = dataclasses.replace(run.throughput, users=30)
    run = dataclasses.replace(run, throughput=load)
    text = table.render(
        factories.report(factories.workload(factories.iteration(1, run))), 300
    )
    assert "from 2 workers with 30 users of a locustfile to 1 " in text


def test_a_load_says_what_is_special_of_its_requests():
    run = factories.run()
    load = dataclasses.replace(
        run.throughput,
        asked="POST /echo",
        keep_alive=False,
        arrivals="poisson",
        tls=True,
    )
    run = dataclasses.replace(run, throughput=load)
    one = factories.workload(factories.iteration(1, run))
    said = (
        "addressed by Service for POST /echo over TLS, each on a new "
        "connection, at random times (Poisson);"
    )
    assert said in table.render(factories.report(one), 300)
    assert said in page.render(factories.report(one))


def test_a_load_says_what_it_was_and_both_rates_for_a_core():
    run = factories.run()
    load = dataclasses.replace(
        run.throughput,
        pull_s=4.2,
        deploy_s=6.1,
        nodes_with_pods=2,
        processes_per_worker=3,
        target_address="pod",
    )
    run = dataclasses.replace(run, throughput=load)
    one = factories.workload(factories.iteration(1, run))
    said = (
        "Load from 2 workers of 3 processes each to 1 target, addressed by "
        "pod address; pods on 2 nodes; images pulled ahead in 4.2 s; deployed "
        "in 6.1 s; cores of the real nodes: 2, that the pods could use: 1.8 "
        "(targets 0.8, generators 1; by limits alone)."
    )
    text = table.render(factories.report(one), 300)
    assert said in text
    assert said in page.render(factories.report(one))
    assert line_with(text, "rps/core", "rps/pod core")
    assert {"9,924", "11,027"} <= set(
        line_with(text, "20,000 ", "19,849").split()
    )


@pytest.mark.parametrize(
    ("maker", "said"),
    [
        ("named", "existing bay, by name"),
        ("kubeconfig", "existing bay, by kubeconfig"),
        ("context", "created by the context"),
    ],
)
def test_a_bay_that_the_scenario_did_not_make_says_where_it_is_from(
    maker, said
):
    bay = factories.bay(made_by=maker, create_s=None, delete_s=None)
    run = dataclasses.replace(factories.run(), bays=(bay,))
    text = table.render(
        factories.report(factories.workload(factories.iteration(1, run))), 300
    )
    assert f"hollow, {said}; all nodes Ready after" in text
    assert "not created" not in text
    assert "not deleted" not in text


def test_a_verdict_says_where_it_was_found():
    run = dataclasses.replace(factories.updated(), faults=(factories.fault(),))
    sla = {
        "request_rate": {"min_rps": 1},
        "request_errors": {"max_ratio": 0.0001, "during": "fault"},
        "rolling_update_time": {"max_s_per_target": 3},
        "bay_create_time": {"max_s": 60},
    }
    one = factories.workload(factories.iteration(of_run=run), sla=sla)
    text = table.render(factories.report(one), width=120)
    head = line_with(text, "Bound", "Measured")
    assert head.index("Where") == line_with(text, "min_rps").index("step 2")
    assert " fault 1  " in line_with(text, "FAILS", "max_ratio")
    line = line_with(text, "max_s_per_target")
    assert " update 1  2.4 s/target  " in line
    assert line_with(text, "bay_create_time").split()[3] == "12.4"
    assert "request_errors max_ratio during fault 1: 0.0004, but" in (
        " ".join(text.split())
    )


def test_headings_of_tables_are_wrapped_too():
    run = dataclasses.replace(
        factories.run(), node_changes=(factories.node_change(),)
    )
    pair = [
        factories.iteration(1, run),
        *several_bays().iterations,
    ]
    text = table.render(factories.report(factories.workload(*pair)), 40)
    assert "Changes of nodes." in text
    assert all(table.display_width(t) <= 40 for t in text.splitlines())

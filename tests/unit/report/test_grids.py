import dataclasses

import pytest

from rally_magnum_scale.in_bay.stats import bay_records
from rally_magnum_scale.report import bay_grids
from rally_magnum_scale.report import grids
from rally_magnum_scale.report import model
from rally_magnum_scale.report import page
from rally_magnum_scale.report import table
from tests.unit import factories


def rung(nodes, *create_s, **changes):
    """A workload with one bay of ``nodes`` for each time to create one."""
    bays = [
        factories.bay(
            uuid=f"{nodes}-{number}",
            name=f"rms-{nodes}-{number}",
            nodes=nodes,
            nodes_hollow=nodes - 1,
            create_s=value,
            nodes_ready_s=value + 1,
            **changes,
        )
        for number, value in enumerate(create_s, 1)
    ]
    return factories.workload(
        *(
            factories.iteration(
                number,
                dataclasses.replace(
                    factories.run(iteration=number),
                    bays=(bay,),
                    throughput=None,
                ),
            )
            for number, bay in enumerate(bays, 1)
        ),
        title=f"{nodes} nodes",
        sla={"bay_create_time": {"max_s": 30}},
        sla_results=(),
    )


def columns(grid):
    return dict(zip(grid.head, zip(*grid.rows, strict=True), strict=True))


def test_a_ladder_has_a_rung_for_each_workload():
    found = grids.ladder([rung(200, 8.0, 10.0, 9.0), rung(1000, 32.0)])
    assert found.title == "Ladder"
    told = columns(found)
    assert told["Workload"] == ("200 nodes", "1000 nodes")
    assert told["Nodes"] == ("200", "1,000")
    assert told["Create s"] == ("9", "32")
    assert told["Ready s"] == ("10", "33")
    assert told["s/node"] == ("0.05", "0.033")
    assert told["Delete s"] == ("3.2", "3.2")
    assert told["Peak MB"] == ("136.3", "136.3")
    assert told["Verdict"] == ("holds", "FAILS")
    assert "rps" not in told
    assert "the median" in found.caption
    assert found.notes == ("The same for all: Template kubernetes-sandbox.",)


def test_two_templates_stand_side_by_side():
    first, second = rung(200, 9.0), rung(200, 9.5, template_name="local")
    found = grids.ladder([first, second])
    assert found.title == "Side by side"
    assert columns(found)["Template"] == ("kubernetes-sandbox", "local")
    assert "median" not in found.caption


def test_a_load_brings_its_rate_into_the_ladder():
    found = grids.ladder([rung(200, 9.0), factories.workload()])
    told = columns(found)
    assert told["rps"] == ("-", "19,849")
    assert told["rps/core"] == ("-", "9,924")
    assert told["req/CPU s"] == ("-", "12,406")
    assert told["p99 ms"][1].startswith("2.9")


def test_one_workload_is_no_ladder():
    assert grids.ladder([factories.workload()]) is None
    assert grids.ladder([]) is None


def test_workloads_without_a_bay_keep_their_rung():
    nothing = factories.workload(iterations=(), title="never ran")
    found = grids.ladder([rung(200, 9.0), nothing])
    assert columns(found)["Create s"] == ("9", "-")
    assert columns(found)["Verdict"] == ("holds", "BROKEN")


def test_iterations_are_summed_up_by_least_median_and_most():
    found = grids.spread(rung(200, 8.0, 10.0, 9.0))
    assert found.caption == "3 iterations, none of them failed."
    assert found.rows[0] == ("Bay created, s", "3", "8", "9", "10")
    assert [row[0] for row in found.rows] == [
        "Bay created, s",
        "All nodes Ready, s",
        "Bay deleted, s",
    ]


def test_failed_iterations_are_counted_and_leave_their_figures_out():
    broken = factories.failed_create().iterations[0]
    good = factories.iteration(2)
    found = grids.spread(factories.workload(broken, good))
    assert found.caption == "2 iterations, 1 of them failed."
    told = {row[0]: row[1] for row in found.rows}
    assert told["Rate of the last step, rps"] == "1"
    assert "Bay created, s" in told


def test_one_iteration_has_no_spread():
    assert grids.spread(factories.workload()) is None


def test_a_bay_of_a_context_is_told_once():
    shared = factories.bay(made_by="context", delete_s=None)
    runs = [
        dataclasses.replace(factories.run(iteration=n), bays=(shared,))
        for n in (1, 2, 3)
    ]
    workload = factories.workload(
        *(factories.iteration(run.iteration, run) for run in runs)
    )
    (seen,) = workload.bays()
    assert seen.iterations == (1, 2, 3)
    told = columns(bay_grids.bays([seen]))
    assert told["Iteration"] == ("1 to 3",)
    assert told["Made by"] == ("context",)
    assert "Delete s" not in told


def test_bays_of_one_name_in_two_tenants_are_two():
    bays = (factories.bay(uuid="a"), factories.bay(uuid="b"))
    run = dataclasses.replace(factories.run(), bays=bays)
    assert len(factories.workload(factories.iteration(1, run)).bays()) == 2


def test_several_bays_say_once_what_is_the_same():
    seen = [
        model.SeenBay(factories.bay(name="a", nodes_real=1), (1,)),
        model.SeenBay(factories.bay(name="b", nodes_real=2), (1,)),
    ]
    found = bay_grids.bays(seen)
    assert found.title == "Bays"
    told = columns(found)
    assert told["Bay"] == ("a", "b")
    assert told["Real"] == ("1", "2")
    assert told["p99 s"] == ("11.8", "11.8")
    assert "Made by" not in told
    assert found.notes[0] == (
        "The same for all: Made by scenario; Template kubernetes-sandbox; "
        "Masters 1; Exact to s 1.03; Stamps s 1; Kubernetes v1.33.2; Status "
        "CREATE_COMPLETE."
    )


def test_a_failed_bay_says_why():
    bad = factories.bay(
        name="b", status="CREATE_FAILED", failure="quota", reason="no cores"
    )
    found = bay_grids.bays(
        [model.SeenBay(factories.bay(name="a")), model.SeenBay(bad)]
    )
    assert columns(found)["Status"][1] == "CREATE_FAILED (quota)"
    assert found.notes[-1] == "b: CREATE_FAILED (quota): no cores"


def test_only_hollow_nodes_need_an_explanation():
    real = factories.bay(nodes=2, nodes_real=2, nodes_hollow=0)
    assert "Hollow" not in bay_grids.bays([model.SeenBay(real)]).caption
    assert (
        "without a machine"
        in bay_grids.bays([model.SeenBay(factories.bay())]).caption
    )


def test_no_bay_no_table():
    assert bay_grids.bays([]) is None


@pytest.mark.parametrize(
    ("cells", "figures"),
    [
        (["1.5", "-"], True),
        (["<= 90", "no value"], True),
        (["+3 s", ""], True),
        (["5 nodes", "many"], False),
        (["-", "-"], False),
        (["", ""], False),
    ],
)
def test_figures_are_told_from_words(cells, figures):
    assert grids.is_figures(cells) is figures


def test_requests_are_divided_by_cores_and_by_cpu_seconds():
    found = grids.cores(factories.run().throughput)
    assert found.head == (
        "Step",
        "Of",
        "Cores",
        "rps/core",
        "CPU s",
        "req/CPU s",
    )
    assert found.rows[4:] == (
        ("2", "nodes", "2", "9,924", "18", "11,027"),
        ("2", "pods", "1.8", "11,027", "16", "12,406"),
        ("2", "targets", "0.8", "24,811", "4", "49,622"),
        ("2", "generators", "1", "19,849", "12", "16,541"),
    )
    assert found.notes == (
        "The nodes' counters cover at least 75 % of the steady seconds "
        "and are scaled to all of them.",
    )


def test_cpu_seconds_that_are_not_known_say_why_once():
    run = factories.run(cpu_missing="the nodes refused: 403")
    found = grids.cores(run.throughput)
    assert [row[1:2] + row[4:] for row in found.rows[4:]] == [
        ("nodes", "18", "11,027"),
        ("pods", "-", "-"),
        ("targets", "-", "-"),
        ("generators", "12", "16,541"),
    ]
    assert found.notes[0] == (
        "Not all CPU seconds of step 1, 2 are known: the nodes refused: 403."
    )


def test_what_lay_outside_of_the_steady_seconds_is_told():
    load = factories.run().throughput
    steps = [
        dataclasses.replace(
            one, cpu_outside_ratio=0.031, cpu_covered_ratio=1.0
        )
        for one in load.steps
    ]
    load = dataclasses.replace(load, steps=steps)
    (note,) = grids.cores(load).notes
    assert note.startswith("Up to 3.1 % of the time")


def test_records_of_before_have_no_such_table():
    load = factories.run().throughput
    bare = [
        dataclasses.replace(
            one, cpu_s={}, requests_per_cpu_s={}, rps_per_core_of={}
        )
        for one in load.steps
    ]
    assert grids.cores(dataclasses.replace(load, steps=bare)) is None
    assert grids.cores(dataclasses.replace(load, steps=[])) is None


def test_cpu_seconds_are_in_the_terminal_and_on_the_page():
    report = factories.report()
    for text in (table.render(report), page.render(report)):
        assert "Requests per core and per CPU second" in text
        assert "49,622" in text


def changes(*found, number=1):
    run = dataclasses.replace(
        factories.run(iteration=number), node_changes=found
    )
    return factories.workload(factories.iteration(number, run))


def test_each_change_of_nodes_has_a_row():
    one = factories.node_change()
    other = factories.node_change(
        number=2,
        nodes_before=300,
        nodes_wanted=200,
        added=0,
        removed=100,
        node_ready_s=None,
        failure="capacity",
        reason="No valid host",
    )
    found = bay_grids.node_changes(
        [i.numbered_run for i in changes(one, other).iterations]
    )
    told = columns(found)
    assert told["From"] == ("200", "300")
    assert told["To"] == ("300", "200")
    assert told["Magnum s"] == ("6", "6")
    assert told["s/node"] == ("0.05", "0.05")
    assert told["p50 s"] == ("3", "-")
    assert told["Ended"] == ("well", "failed (capacity)")
    assert "To go" not in told
    assert "Change 2: No valid host" in found.notes
    assert any("What resize" in note for note in found.notes)


def test_without_changes_of_nodes_there_is_no_table():
    assert bay_grids.node_changes([factories.run()]) is None


def test_changes_of_nodes_are_on_the_page_and_in_the_terminal():
    report = factories.report(changes(factories.node_change()))
    for text in (page.render(report), table.render(report)):
        assert "Changes of nodes" in text
        assert "0.05" in text


def api(**changes):
    one = {"requests": 40.0, "p50_s": 0.005, "p99_s": 0.25}
    values = {"kinds": {"get": one}, "verbs": {"GET": one}, **changes}
    return dataclasses.replace(
        factories.run(), api_latency=bay_records.ApiLatency(**values)
    )


def test_the_api_server_is_told_by_verb():
    told = columns(bay_grids.api(api()))
    assert told["Requests"] == ("get", "GET")
    assert told["p50 ms"] == ("5", "5")
    assert told["p99 ms"] == ("250", "250")


def test_quantiles_are_told_with_their_buckets():
    one = {
        "requests": 40.0,
        "p50_s": 0.005,
        "p50_low_s": 0.0,
        "p50_high_s": 0.05,
        "p99_s": None,
        "p99_low_s": 60.0,
        "p99_high_s": None,
    }
    told = columns(bay_grids.api(api(kinds={"get": one}, verbs={})))
    assert told["p50 ms"] == ("5 (0 to 50)",)
    assert told["p99 ms"] == ("> 60,000",)


def test_an_api_latency_without_figures_is_drawn():
    told = columns(bay_grids.api(api(kinds={"get": {}}, verbs={})))
    assert [told[name] for name in ("Count", "p50 ms", "p99 ms")] == [
        ("-",),
        ("-",),
        ("-",),
    ]


def test_what_the_times_of_a_bay_are_exact_to_is_told():
    late = factories.bay(delete_resolution_s=31.024)
    told = columns(bay_grids.bays([model.SeenBay(late, (1,))]))
    assert told["Exact to s"] == ("31",)
    change = factories.node_change(magnum_resolution_s=4.5)
    run = dataclasses.replace(factories.run(), node_changes=(change,))
    told = columns(bay_grids.node_changes([run]))
    assert told["Exact to s"] == ("4.5",)
    change = dataclasses.replace(change, nodes_resolution_s=9.25)
    run = dataclasses.replace(run, node_changes=(change,))
    told = columns(bay_grids.node_changes([run]))
    assert told["Exact to s"] == ("9.25",)


def test_what_is_not_known_of_a_bay_is_noted():
    odd = factories.bay(
        node_ready_missing="3 nodes have stamps that can't be right",
        magnum_requests=120,
        magnum_requests_timed_out=4,
        openstack_errors={"Keystone: 429": 1, "Magnum: 503": 12},
    )
    found = bay_grids.bays([model.SeenBay(odd, (1,))])
    assert found.notes == (
        "rms-bay: 3 nodes have stamps that can't be right.",
        "rms-bay: of 120 requests, Magnum's API left 4 unanswered; these "
        "timed out and were retried.",
        "rms-bay: requests to OpenStack that failed and were retried: "
        "Keystone: 429 (1), Magnum: 503 (12).",
    )


def test_an_api_server_without_figures_says_why():
    found = bay_grids.api(api(kinds={}, verbs={}, missing="it refused"))
    assert found.notes == ("Not measured: it refused.",)
    assert bay_grids.api(factories.run()) is None


def test_the_api_server_is_on_the_page():
    found = page.render(
        factories.report(factories.workload(factories.iteration(1, api())))
    )
    assert "API server of the bay" in found


def test_many_bays_tell_how_many_failed_and_how_magnum_answered():
    many = rung(2, 8.0, 9.0, 7.0, magnum_request_s={"p99": 0.25})
    broken = factories.bay(
        uuid="x",
        name="x",
        nodes=2,
        create_s=None,
        failure="capacity",
        magnum_request_s={"p99": 0.5},
    )
    run = dataclasses.replace(
        factories.run(iteration=4), bays=(broken,), throughput=None
    )
    failing = dataclasses.replace(
        many, iterations=(*many.iterations, factories.iteration(4, run))
    )
    told = columns(grids.ladder([failing, rung(16, 9.0)]))
    assert told["Bays"] == ("4", "")
    assert told["Failed"] == ("1 capacity", "")
    assert told["Magnum ms"] == ("500", "-")


def test_a_p99_among_failed_requests_is_shown_as_failed():
    good = factories.workload(factories.iteration())
    bad = factories.workload(
        factories.iteration(of_run=factories.run(failures={"reset": 5_000}))
    )
    found = grids.ladder([good, bad])
    column = found.head.index("p99 ms")
    assert found.rows[0][column] != "failed"
    assert found.rows[1][column] == "failed"

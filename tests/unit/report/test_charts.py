import dataclasses
import json

import pytest
from rally.task.processing import charts as rally_charts

from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.report import charts
from tests.unit import factories

RUNS = {
    "good": factories.run(),
    "closed loop": factories.run(factories.plan(None)),
    "failures": factories.run(failures={"timeout": 1}),
    "invalid": factories.run(reasons=["a worker died"], without=(5,)),
    "no load": factories.failed_create().iterations[0].run,
    "several bays": records.Run(
        bays=(factories.bay(name="a"), factories.bay(name="b", failure="x"))
    ),
    "nothing": records.Run(),
    "updated": factories.updated(),
    "lost nodes": factories.broken(),
}


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_rally_takes_every_output_with_its_stock_charts(run):
    for output in charts.outputs(run):
        assert rally_charts.validate_output("complete", output) is None
        chart = rally_charts.OutputChart.get(output["chart_plugin"])
        assert chart.__module__ == "rally.task.processing.charts"
        data = dict(output)
        data.pop("chart_plugin")
        chart.render_complete_data(data)
        json.dumps(output, allow_nan=False)


def test_a_good_run_has_two_plots_and_three_tables():
    rate, latency, steps, cores, life = charts.outputs(RUNS["good"])
    assert cores["title"] == "Requests per core and per CPU second"
    assert [name for name, _ in rate["data"]] == ["offered", "achieved"]
    assert [name for name, _ in latency["data"]] == ["p50", "p99", "p99.9"]
    assert latency["label"] == "latency in ms"
    assert rate["data"][1][1][4] == [4, RUNS["good"].windows[4].requests]
    assert [row[0] for row in steps["data"]["rows"]] == [1, 2]
    assert len({len(row) for row in steps["data"]["rows"]}) == 1
    assert len(steps["data"]["cols"]) == len(steps["data"]["rows"][0])
    assert ["Nodes", "200 nodes: 1 real and 199 hollow"] in life["data"][
        "rows"
    ]


def test_no_line_crosses_a_closed_loop_or_a_gap():
    run = factories.run(factories.plan(10_000, None, 20_000))
    offered = charts.outputs(run)[0]["data"][:2]
    assert [name for name, _ in offered] == ["offered", "offered, part 2"]
    assert offered[0][1][-1][0] == 12
    assert offered[1][1][0][0] == 26
    names = [name for name, _ in charts.outputs(RUNS["invalid"])[1]["data"]]
    assert names[:2] == ["p50", "p50, part 2"]


def test_a_line_in_shreds_is_drawn_as_one():
    run = factories.run(without=range(1, 27, 2))
    assert len(charts.outputs(run)[1]["data"]) == 3


def test_failures_are_plotted_where_there_are_any():
    names = [name for name, _ in charts.outputs(RUNS["failures"])[0]["data"]]
    assert names == ["offered", "achieved", "failed"]


def test_an_invalid_step_says_why():
    steps = charts.outputs(RUNS["invalid"])[2]
    assert steps["data"]["rows"][0][-1].startswith("no: a worker died; ")


def test_without_load_there_is_the_bay_alone():
    (life,) = charts.outputs(RUNS["no load"])
    assert life["title"] == "Life of the bay"
    assert any("Quota exceeded" in value for _, value in life["data"]["rows"])


def test_without_records_there_is_nothing():
    assert charts.outputs(RUNS["nothing"]) == []


def test_an_hour_is_thinned():
    hour = factories.plan(10_000, duration_s=3590, ramp_s=10)
    rate = charts.outputs(factories.run(hour, samples=20))[0]
    assert all(len(values) <= 1003 for _, values in rate["data"])


def test_several_bays_are_a_table_with_their_reasons():
    (drawn,) = charts.outputs(RUNS["several bays"])
    assert drawn["title"] == "Bays"
    assert [row[0] for row in drawn["data"]["rows"]] == ["a", "b"]
    assert "b: CREATE_COMPLETE (x)" in drawn["description"]


def test_the_life_of_a_bay_has_its_nodes_and_the_memory_of_the_plugin():
    rows = dict(charts.outputs(RUNS["good"])[-1]["data"]["rows"])
    assert rows["Peak memory of the plugin, MB"] == "136.3"
    assert rows["The same for each node"] == "0.0605 s"
    assert rows["Nodes Ready after"].startswith("p50 9.1 s, p90 10.2 s")
    assert "Origin" not in rows


def rendered(*runs):
    """Merge additive outputs by their places, as Rally's report does."""
    charts_of = []
    workload = {"total_iteration_count": len(runs)}
    for run in runs:
        for place, found in enumerate(charts.additive(run)):
            assert rally_charts.validate_output("additive", found) is None
            if place == len(charts_of):
                chart = rally_charts.OutputChart.get(found["chart_plugin"])
                title = {"title": found["title"]}
                charts_of.append(chart(workload, **title))
            charts_of[place].add_iteration(found["data"])
    return [one.render() for one in charts_of]


def test_rally_sums_up_the_iterations():
    broken = dataclasses.replace(RUNS["good"], throughput=None)
    bays, rate = rendered(broken, RUNS["good"], RUNS["no load"])
    told = {row[0]: row[1:] for row in bays["data"]["rows"]}
    assert told["bay created"][0] == 12.4
    assert {name: row[-1] for name, row in told.items()} == {
        "bay created": 2,
        "all nodes Ready": 2,
        "bay deleted": 3,
    }
    assert rate["title"] == "Rate of the last step"


def test_without_a_time_nothing_is_summed_up():
    assert charts.additive(RUNS["nothing"]) == []
    bare = factories.bay(create_s=None, nodes_ready_s=None, delete_s=None)
    run = dataclasses.replace(RUNS["good"], bays=(bare,))
    assert [one["title"] for one in charts.additive(run)] == [
        "Rate of the last step"
    ]


def test_versions_are_areas_on_the_same_seconds():
    run = factories.updated()
    drawn = charts.outputs(run)[2]
    assert drawn["title"] == "Responses by version of the targets"
    assert drawn["chart_plugin"] == "StackedArea"
    old, new = drawn["data"]
    assert (old[0], new[0]) == ("version 1", "version 2")
    assert [at for at, _ in old[1]] == [at for at, _ in new[1]]
    sums = [a + b for (_, a), (_, b) in zip(old[1], new[1], strict=True)]
    assert sums == pytest.approx([100] * 27)
    # Also where seconds are missing: each area is one row.
    gone = {factories.START + at for at in (4, 9, 14)}
    seen = tuple(one for one in run.windows if one.second not in gone)
    shreds = charts.outputs(dataclasses.replace(run, windows=seen))[2]
    assert [len(row[1]) for row in shreds["data"]] == [24, 24]


@pytest.mark.parametrize(
    ("name", "title", "cell", "said"),
    [
        ("updated", "Updates under load", "9.6", "version 2: 38 %"),
        ("lost nodes", "Nodes lost under load", "stopped", "rms-node-3"),
    ],
)
def test_events_are_tables(name, title, cell, said):
    found = {one["title"]: one for one in charts.outputs(RUNS[name])}
    assert cell in found[title]["data"]["rows"][0]
    assert said in found[title]["description"]
    assert "under load" not in str(charts.outputs(RUNS["good"]))


def test_rally_sums_up_the_times_of_events():
    slow = factories.updated(old_gone_s=19.6, new_ready_s=None)
    *_, events = rendered(RUNS["updated"], slow)
    assert {row[0]: (row[5], row[-1]) for row in events["data"]["rows"]} == {
        "update 1, 4 targets: new Ready": (8, 1),
        "update 1, 4 targets: old gone": (19.6, 2),
    }
    *_, events = rendered(RUNS["lost nodes"])
    assert {row[0]: row[5] for row in events["data"]["rows"]} == {
        "fault 1, nodes stopped: 1: noticed": 4,
        "fault 1, nodes stopped: 1: targets Ready": 7.5,
        "fault 1, nodes stopped: 1: last failure": 9.8,
    }


def test_events_that_an_iteration_lacks_move_nothing():
    none = {"new_ready_s": None, "old_gone_s": None}
    bays, rate, events = rendered(
        factories.updated(**none), RUNS["updated"], RUNS["no load"]
    )
    assert rate["title"] == "Rate of the last step"
    assert "bay created" in [row[0] for row in bays["data"]["rows"]]
    assert [row[-1] for row in events["data"]["rows"]] == [1, 1]

"""What makes two runs comparable."""

import dataclasses

import pytest

from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.measurement import conditions
from tests.unit import factories

ASKED = conditions.record(
    "http://keystone (r)",
    "MagnumScale.throughput",
    {},
    runner="constant (concurrency 10, times 10)",
    contexts="0123456789ab",
)


def found(**changes):
    run = records.Run(
        bays=(factories.bay(**changes),), conditions=ASKED.to_json()
    )
    return conditions.find([run])


def test_arguments_that_change_no_figure_are_left_out_of_the_digest():
    given = {"nodes": 2, "steps": [{"rate_rps": 5}]}
    own = conditions.digest(given)
    assert own == conditions.digest(dict(reversed(given.items())))
    for name in ("deadlines", "keep_bay", "bay", "image_pull_secret_file"):
        assert conditions.digest({**given, name: "other"}) == own
    assert conditions.digest({**given, "nodes": 3}) != own
    assert conditions.digest({**given, "steps": [{"rate_rps": 6}]}) != own


def test_a_digest_is_the_same_in_each_release():
    # A run is compared with those of releases before.
    assert conditions.digest({"nodes": 2, "flag": None}) == "4db7352e525e"
    assert conditions.digest_contexts({"bays": {"nodes": 2}}) == "212fe6d120fb"


def test_each_condition_makes_a_difference():
    here = found()
    assert here.nodes == "200 (199 hollow)"
    assert here.versions["Kubernetes"] == "v1.33.2"
    assert "template kubernetes-sandbox, http://key" in here.describe()
    assert here.differences(found()) == []
    for name, other in {
        "nodes": found(nodes_hollow=100),
        "templates": found(template_name="other"),
        "versions": found(kubernetes_version="v1.34.0"),
        **{
            name: dataclasses.replace(here, **{name: "other"})
            for name in (
                *("cloud", "scenario", "arguments"),
                *("runner", "contexts"),
            )
        },
    }.items():
        assert here.differences(other) == [name]
        assert here.differences(other, across=[name]) == []


def test_runs_on_different_drivers_are_not_compared():
    heat, capi = found(driver="k8s_fedora_coreos_v1"), found(driver="capi")
    assert heat.differences(capi) == ["templates"]
    assert capi.templates == "kubernetes-sandbox (driver capi)"


def test_the_conditions_are_described_in_a_line():
    here = found()
    own = here.versions["rally-magnum-scale"]
    locust = here.versions["locust"]
    assert here.describe() == (
        "MagnumScale.throughput, 200 (199 hollow) nodes, template "
        "kubernetes-sandbox, http://keystone (r), Kubernetes v1.33.2, locust "
        f"{locust}, rally-magnum-scale {own}, runner constant (concurrency "
        f"10, times 10), arguments {here.arguments}, contexts 0123456789ab"
    )
    assert conditions.Conditions().describe() == ""
    assert conditions.Conditions(cloud="c").describe() == "c"


def test_the_nodes_of_all_bays_are_named_once_each():
    without_name = {"template": "5f1c", "template_name": ""}
    bays = [
        factories.bay(nodes=2, nodes_hollow=0),
        factories.bay(nodes=9, nodes_hollow=None, **without_name),
        factories.bay(nodes=1, nodes_hollow=1),
        factories.bay(nodes=2, nodes_hollow=0),
    ]
    runs = [records.Run(bays=tuple(bays[:2])), records.Run(bays=(bays[2],))]
    here = conditions.find([*runs, records.Run(bays=(bays[3],))])
    assert here.nodes == "1 (1 hollow), 2 (0 hollow)"
    assert here.templates == "5f1c, kubernetes-sandbox"


def test_what_is_not_known_differs_from_nothing():
    failed = found(nodes_hollow=None, nodes_real=None, kubernetes_version="")
    assert failed.nodes == ""
    assert found().differences(failed) == []
    assert found().differences(conditions.find([], ASKED)) == []
    nothing = conditions.find([records.Run()])
    assert nothing == conditions.Conditions()
    assert found().differences(nothing) == []


def test_what_was_asked_for_stands_where_nothing_was_recorded():
    known = conditions.find([records.Run()], ASKED)
    assert known.cloud == "http://keystone (r)"
    assert known.arguments == conditions.digest({})


def test_a_runner_is_said_whole_and_in_one_order():
    said = conditions.describe_runner(
        "constant", {"times": 10, "concurrency": 5}
    )
    assert said == "constant (concurrency 5, times 10)"
    assert conditions.describe_runner("serial", {}) == "serial"
    rising = conditions.describe_runner("rps", {"rps": {"start": 1, "end": 9}})
    assert rising == 'rps (rps {"end": 9, "start": 1})'
    here = found()
    assert "runner constant (concurrency 10, times 10)" in here.describe()


def test_contexts_are_digested_as_arguments_are():
    own = conditions.digest_contexts({"bays@openstack": {"nodes": 2}})
    same = {"bays": {"nodes": 2, "deadlines": {"create_s": 60}}}
    assert conditions.digest_contexts(same) == own
    for other in ({"bays": {"nodes": 3}}, {}, {"bays": None}):
        assert conditions.digest_contexts(other) != own


def test_a_record_of_an_earlier_release_knows_no_runner():
    before = {"cloud": "c", "scenario": "s", "arguments": "a", "versions": {}}
    known = conditions.find([records.Run(conditions=before)])
    assert (known.runner, known.contexts) == ("", "")
    assert known.differences(found(), across=["cloud", "scenario"]) == [
        "arguments"
    ]


@pytest.mark.parametrize(
    ("kind", "config", "told"),
    [
        ("constant", {"times": 10, "concurrency": 2}, 10),
        ("constant@default", {}, 1),
        ("constant", {}, 1),
        ("serial", {"times": 3, "concurrency": 9}, 3),
        ("serial", {}, 1),
        ("rps", {"times": 7, "rps": 1}, 7),
        ("constant_for_duration", {"duration": 60, "concurrency": 2}, None),
        ("of another package", {"times": 4.0}, 4),
        ("of another package", {"until": "noon"}, None),
        ("of another package", {"times": "many"}, None),
    ],
)
def test_how_many_iterations_a_runner_was_told_to_run(kind, config, told):
    assert conditions.planned_iterations(kind, config) == told


@pytest.mark.parametrize(
    ("stored", "told", "said"),
    [
        (10, 10, ""),
        (0, None, ""),
        (5, None, ""),
        (5, 0, ""),
        (9, 10, "9 of 10 iterations have a result"),
        (0, 1, "0 of 1 iterations have a result"),
        (
            11,
            10,
            "11 iterations have a result, but the runner had to run 10",
        ),
    ],
)
def test_missing_iterations_are_told(stored, told, said):
    assert conditions.describe_missing(stored, told) == said

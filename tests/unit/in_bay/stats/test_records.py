import json

import pytest

from rally_magnum_scale.in_bay import stats
from rally_magnum_scale.in_bay.stats import bay_records
from rally_magnum_scale.in_bay.stats import records
from tests.unit import factories
from tests.unit import frozen


def as_records(run):
    source = factories.SOURCE
    bodies = [("window", one.to_json()) for one in run.windows]
    bodies += [("end", run.end.to_json()), ("bay", run.bay.to_json())]
    bodies += [("throughput", run.throughput.to_json())]
    return [*run.events, *(source.envelope(*body) for body in bodies)]


def test_a_run_survives_json_lines():
    run = factories.run(
        failures={"timeout": 2},
        events=[factories.event(5, "worker_died", "rms-worker-2")],
    )
    text = records.dump(as_records(run))
    assert records.collect(records.parse(text.splitlines())) == run


def test_every_record_has_its_source():
    for line in records.dump(as_records(factories.run())).splitlines():
        record = json.loads(line)
        assert record["version"] == records.VERSION
        assert (record["task"], record["iteration"], record["bay"]) == (
            "0" * 8,
            1,
            "rms-bay",
        )


def test_blank_lines_are_ignored():
    text = records.dump(as_records(factories.run()))
    assert len(records.parse(["", *text.splitlines(), "  "])) == 30


def test_no_records_make_an_empty_run():
    assert records.collect([]) == records.Run()


@pytest.mark.parametrize(
    "line",
    [
        "not JSON",
        "[]",
        '{"record": "other", "version": 1}',
        '{"version": 1}',
        '{"record": "end", "version": 1}',
        '{"record": "end"}',
    ],
)
def test_a_line_that_is_not_a_record_is_refused(line):
    with pytest.raises(ValueError):
        records.parse_line(line)


@pytest.mark.parametrize("version", [2, 4, "3", None])
def test_a_record_of_another_version_is_refused(version):
    record = {"record": "end", "task": "t", "iteration": 1, "bay": "b"}
    line = json.dumps({**record, "version": 3})
    assert records.parse_line(line)["record"] == "end"
    line = json.dumps({**record, "version": version})
    told = f"of version {version} can't be read; this release reads version 3."
    with pytest.raises(ValueError, match=told):
        records.parse_line(line)


def test_the_error_quotes_the_beginning_of_the_line():
    with pytest.raises(ValueError) as refused:
        records.parse_line(f'"{"x" * 200}"')
    assert str(refused.value) == f"Invalid record: '\"{'x' * 79}'."


@pytest.mark.parametrize("kind", ["bay", "end", "throughput", "window"])
def test_a_record_with_a_field_missing_is_refused(kind):
    with pytest.raises(ValueError):
        records.collect([factories.SOURCE.envelope(kind, {})])


def test_a_field_of_a_later_release_is_ignored():
    body = {**factories.bay().to_json(), "colour": "green"}
    record = factories.SOURCE.envelope("bay", body)
    assert bay_records.Bay.from_json(record) == factories.bay()


def test_the_last_record_of_a_kind_counts():
    bodies = [factories.bay(delete_s=None), factories.bay(delete_s=3.0)]
    found = [factories.SOURCE.envelope("bay", b.to_json()) for b in bodies]
    assert records.collect(found).bay.delete_s == 3.0
    ends = [factories.end([], reasons) for reasons in (["died"], [])]
    found = [factories.SOURCE.envelope("end", e.to_json()) for e in ends]
    assert records.collect(found).end.reasons == []


def test_disruptions_keep_the_order_of_their_records():
    bodies = [
        ("node_change", factories.node_change(number=1)),
        ("update", factories.update(number=1)),
        ("fault", factories.fault(number=1)),
        ("node_change", factories.node_change(number=2)),
        ("update", factories.update(number=2)),
        ("fault", factories.fault(number=2)),
    ]
    source = records.Source("t", 7, "b")
    run = records.collect(
        source.envelope(kind, body.to_json()) for kind, body in bodies
    )
    assert run.iteration == 7
    assert (run.bay, run.end, run.throughput) == (None, None, None)
    for found in (run.node_changes, run.updates, run.faults):
        assert [one.number for one in found] == [1, 2]


def test_an_error_is_described_by_class_and_message():
    error = ["BayCreateFailed", " no quota\n", "Traceback ..."]
    assert records.describe_error(error) == "BayCreateFailed: no quota"
    assert records.describe_error([]) == ""


def test_a_search_with_its_trials_survives_json():
    trial = records.Trial(1, "search", 100.0, 0, 5)
    ended = records.Trial(2, "search", 100.0, 0, 5, achieved_rps=0.0)
    assert (trial.ended, ended.ended) == (False, True)
    found = factories.searched(trials=[trial, ended]).max_rate
    assert found.valid
    read = records.MaxRate.from_json(found.to_json())
    assert read == found
    assert not factories.searched(reasons=["no windows"]).max_rate.valid


def envelope(name, kind, body):
    return records.Source("0" * 8, 1, name).envelope(kind, body)


def test_each_bay_is_kept_once_and_in_order():
    found = [
        envelope(name, "bay", factories.bay(name="", nodes=nodes).to_json())
        for name, nodes in (("a", 1), ("b", 2), ("a", 3))
    ]
    run = records.collect(found)
    assert [(one.name, one.nodes) for one in run.bays] == [("a", 3), ("b", 2)]
    assert run.bay.name == "b"


def test_the_bay_of_a_run_is_the_one_that_the_load_ran_on():
    load = factories.run().throughput.to_json()
    found = [
        *(
            envelope(name, "bay", factories.bay(name=name).to_json())
            for name in ("a", "b", "c")
        ),
        envelope("b", "throughput", load),
    ]
    assert records.collect(found).bay.name == "b"
    found[3] = envelope("gone", "throughput", load)
    assert records.collect(found).bay.name == "c"


def test_a_record_of_the_first_release_is_read():
    body = {"uuid": "u", "template": "t", "nodes": 2, "create_s": 1.5}
    bay = bay_records.Bay.from_json(factories.SOURCE.envelope("bay", body))
    assert (bay.name, bay.made_by, bay.masters) == ("rms-bay", "scenario", 1)
    assert bay.node_ready_s is None
    load = records.Throughput.from_json(
        {
            "targets": 1,
            "workers": 1,
            "cores_pods": None,
            "cores_real_nodes": None,
            "steps": [],
        }
    )
    assert (load.pull_s, load.target_address) == (None, "service")
    assert (load.processes_per_worker, load.asked) == (1, "GET /")
    assert (load.keep_alive, load.tls, load.cpus_seen) == (True, False, False)
    assert load.arrivals == "constant"


FIELDS = "achieved_rps failures iteration node_ready_s nodes requests targets"
NUMBERS = [None, True, "5", [], {}, float("nan"), float("inf"), 10**400]


@pytest.mark.parametrize("value", NUMBERS)
@pytest.mark.parametrize(
    ("kind", "way"),
    [
        ("throughput", ("targets",)),
        ("throughput", ("steps", 0, "achieved_rps")),
        ("throughput", ("steps", 0, "failures", "timeout")),
        ("end", ("requests",)),
        ("bay", ("nodes",)),
        ("bay", ("node_ready_s", "p50")),
        ("bay", ("iteration",)),
    ],
)
def test_a_value_that_is_not_a_number_is_refused_by_its_field(
    kind, way, value
):
    run = factories.run(failures={"timeout": 2})
    written = json.loads(json.dumps(as_records(run)))
    *inner, last = way
    found = next(one for one in written if one["record"] == kind)
    for key in inner:
        found = found[key]
    found[last] = value
    field = next(key for key in reversed(way) if str(key) in FIELDS.split())
    with pytest.raises(ValueError, match=f"its field {field} is "):
        records.collect(records.parse(map(json.dumps, written)))


def test_an_integer_may_be_written_as_a_float():
    body = {**factories.bay().to_json(), "nodes": 200.0, "create_s": 12}
    found = bay_records.Bay.from_json(body)
    assert (found.nodes, found.create_s) == (200, 12.0)


def test_a_window_with_a_value_that_is_not_a_number_is_refused():
    window = factories.windows()[0].to_json()
    for value in ("x", float("nan"), float("inf")):
        line = factories.SOURCE.envelope(
            "window", {**window, "cpu_ratio_max": value}
        )
        with pytest.raises(ValueError, match="cpu_ratio_max|float"):
            records.collect([line])


@pytest.mark.parametrize("module", frozen.modules(stats))
def test_records_and_their_parts_are_frozen(module):
    frozen.check(module)

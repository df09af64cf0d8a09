import json

import pytest

from rally_magnum_scale.measurement import bay_records
from rally_magnum_scale.measurement import records
from tests.unit import factories


def as_records(run):
    source = factories.SOURCE
    bodies = [("window", one.to_json()) for one in run.windows]
    bodies += [("end", run.end.to_json()), ("bay", run.bay.to_json())]
    bodies += [("throughput", run.throughput.to_json())]
    return [*run.events, *(source.envelope(*body) for body in bodies)]


def test_a_run_comes_back_from_its_lines():
    run = factories.run(
        failures={"timeout": 2},
        events=[factories.event(5, "worker_died", "rms-worker-2")],
    )
    text = records.dump(as_records(run))
    assert records.collect(records.parse(text.splitlines())) == run


def test_every_record_says_where_it_comes_from():
    for line in records.dump(as_records(factories.run())).splitlines():
        record = json.loads(line)
        assert record["version"] == records.VERSION
        assert (record["task"], record["iteration"], record["bay"]) == (
            "0" * 8,
            1,
            "rms-bay",
        )


def test_blank_lines_are_passed_over():
    text = records.dump(as_records(factories.run()))
    assert len(records.parse(["", *text.splitlines(), "  "])) == 30


def test_nothing_is_collected_from_nothing():
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
def test_what_is_no_record_is_refused(line):
    with pytest.raises(ValueError):
        records.parse_line(line)


@pytest.mark.parametrize("kind", ["bay", "end", "throughput", "window"])
def test_a_record_with_a_field_missing_is_refused(kind):
    with pytest.raises(ValueError):
        records.collect([factories.SOURCE.envelope(kind, {})])


def test_a_field_of_a_later_release_is_passed_over():
    body = {**factories.bay().to_json(), "colour": "green"}
    record = factories.SOURCE.envelope("bay", body)
    assert bay_records.Bay.from_json(record) == factories.bay()


def test_the_last_record_of_a_kind_counts():
    bodies = [factories.bay(delete_s=None), factories.bay(delete_s=3.0)]
    found = [factories.SOURCE.envelope("bay", b.to_json()) for b in bodies]
    assert records.collect(found).bay.delete_s == 3.0


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

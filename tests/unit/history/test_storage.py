"""The history: written whole, read back, grouped by what is comparable."""

import dataclasses
import fcntl
import json
import subprocess
import sys

import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale import files
from rally_magnum_scale.history import storage
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.report import model
from rally_magnum_scale.report import new_runs
from tests.unit import factories

REPORT = factories.report()
(GOOD,) = new_runs.of_report(REPORT)


def nightly(number, **changes):
    """The run of a night: the same task, another uuid."""
    values = {"task": f"task-{number}", "at_s": number * 86_400.0, **changes}
    return dataclasses.replace(GOOD, **values)


def under(**changes):
    return dataclasses.replace(GOOD.conditions, **changes)


def state_of(*iterations, **changes):
    report = factories.report(factories.workload(*iterations, **changes))
    (found,) = new_runs.of_report(report)
    return found.state


def test_a_run_survives_its_line(tmp_path):
    path = tmp_path / "new folder" / "history.jsonl"
    assert storage.append(path, [GOOD]) == [GOOD]
    assert storage.read(path) == [GOOD]
    (line,) = path.read_text().splitlines()
    assert json.loads(line)["history"] == 1
    assert (GOOD.state, GOOD.id) == ("holds", f"{REPORT.task}/1")
    assert len(GOOD.judged) == 7
    assert "request_rate.min_rps step 2" in {one.name for one in GOOD.judged}
    assert GOOD.conditions.nodes == "200 (199 hollow)"
    assert GOOD.conditions.scenario == "MagnumScale.throughput"


def test_the_state_says_what_came_of_a_run():
    run = factories.run(reasons=["the load generator was the limit"])
    invalid = factories.iteration(of_run=run)
    broken = factories.iteration(
        of_run=records.Run(), error=("TimeoutError", "it took too long")
    )
    failing = {"request_latency": {"p99_ms": 0.001}}
    other = model.SlaResult("no_regression", success=False, detail="worse")
    assert state_of(invalid) == "invalid"
    assert state_of(factories.iteration(), broken) == "broken"
    assert state_of(sla=failing) == "fails"
    assert state_of(sla_results=[other]) == "fails"
    empty = model.Workload(scenario="MagnumScale.throughput")
    (run,) = new_runs.of_report(factories.report(empty))
    assert run.state == "broken"
    assert run.at_s == pytest.approx(1_791_536_000, abs=1e5)


def test_a_run_that_could_not_clean_up_is_broken():
    left = model.ContextResult("bays", cleanup_error=("BayDeleteFailed", "x"))
    report = factories.report(factories.workload(contexts=[left]))
    (found,) = new_runs.of_report(report)
    assert found.state == "broken"
    assert "the context bays could not clean up: BayDelete" in found.sentence


SPOILT = "the load generator was the limit"


def spoilt(**changes):
    run = factories.run(reasons=[SPOILT])
    late = factories.iteration(of_run=dataclasses.replace(run, **changes))
    sla = {"bay_create_time": {"max_s": 60}}
    (found,) = new_runs.of_report(
        factories.report(factories.workload(late, sla=sla))
    )
    return found


def test_a_load_that_does_not_count_is_invalid_though_no_bound_asks():
    run = spoilt()
    assert run.state == "invalid"
    said = f"All 2 bounds hold, but the load does not count: {SPOILT}."
    assert run.sentence == said
    assert spoilt(end=None).state == "invalid"
    assert spoilt(throughput=None).state == "invalid"
    assert spoilt(end=None, throughput=None).state == "holds"


def test_of_a_search_its_own_word_counts_and_not_that_of_its_steps():
    found = factories.searched().max_rate
    assert spoilt(end=None, max_rate=found).state == "holds"
    none = dataclasses.replace(found, reasons=["no step held"])
    run = spoilt(end=None, max_rate=none)
    assert run.state == "invalid"
    assert "the load does not count: no step held." in run.sentence


def test_a_bound_on_a_valid_step_does_not_hide_an_invalid_one():
    of_run = factories.run()
    first, *rest = of_run.throughput.steps
    late = dataclasses.replace(first, reasons=[SPOILT])
    load = dataclasses.replace(of_run.throughput, steps=[late, *rest])
    one = factories.iteration(
        of_run=dataclasses.replace(of_run, throughput=load)
    )
    last = {"request_rate": {"min_rps": 1}}
    assert state_of(one, sla=last) == "invalid"
    assert state_of(one, sla={}) == "invalid"
    report = factories.report(factories.workload(one, sla=last))
    (found,) = new_runs.of_report(report)
    assert found.sentence == (
        f"All 2 bounds hold, but the load does not count: {SPOILT}."
    )


@pytest.mark.parametrize(
    ("of_run", "sla"),
    [
        (factories.searched(), {"max_rate": {"min_rps": 1}}),
        (
            dataclasses.replace(
                factories.run(), updates=(factories.update(),)
            ),
            {"request_latency": {"p99_ms": 50, "during": "update"}},
        ),
        (factories.run(), {"request_latency": {"p99_ms": 50, "step": 1}}),
    ],
)
def test_a_bound_has_the_name_of_its_metric(of_run, sla):
    work = factories.workload(factories.iteration(of_run=of_run), sla=sla)
    (run,) = new_runs.of_report(factories.report(work))
    judged = {one.name for one in run.judged}
    assert judged
    assert judged <= {one.name for one in run.metrics}


def test_the_same_run_stands_once_and_the_oldest_first(tmp_path):
    path = tmp_path / "history.jsonl"
    storage.append(path, [nightly(2), nightly(1)])
    again = nightly(2, link="2/page.html")
    assert storage.append(path, [again]) == [nightly(1), again]
    # Who adds it without its page loses nothing.
    assert storage.append(path, [nightly(2)])[1] == again


def test_a_history_without_runs_is_not_begun(tmp_path):
    path = tmp_path / "history.jsonl"
    assert storage.append(path, []) == []
    assert not path.exists()
    assert storage.read_before(path) is None
    storage.append(path, [nightly(1)])
    assert storage.append(path, []) == [nightly(1)]
    assert storage.read_before(path) == [nightly(1)]


def test_a_history_that_is_a_link_stays_one(tmp_path):
    real, link = tmp_path / "real.jsonl", tmp_path / "link.jsonl"
    link.symlink_to(real)
    storage.append(link, [nightly(1)])
    assert link.is_symlink()
    assert storage.read(real) == [nightly(1)]


def test_a_writer_that_is_killed_leaves_the_history_whole(tmp_path):
    path = tmp_path / "history.jsonl"
    script = (
        "import itertools, pathlib, sys\n"
        "import tests.unit.history.test_storage as own\n"
        "for number in itertools.count(1):\n"
        "    run = own.nightly(number % 50 + 1)\n"
        "    own.storage.append(pathlib.Path(sys.argv[1]), [run])\n"
        "    print(number, flush=True)\n"
    )
    for _ in range(3):
        storage.append(path, [nightly(1)])
        writer = subprocess.Popen(
            [sys.executable, "-c", script, path], stdout=subprocess.PIPE
        )
        with writer:
            assert writer.stdout.readline()
            writer.kill()
        found = storage.read(path)
        assert found == [nightly(number + 1) for number in range(len(found))]
        assert len(found) >= 2


def test_two_writers_lose_nothing(tmp_path):
    path = tmp_path / "history.jsonl"
    script = (
        "import pathlib, sys, tests.unit.history.test_storage as own\n"
        "first = int(sys.argv[2])\n"
        "for number in range(first, first + 15):\n"
        "    run = own.nightly(number, metrics=())\n"
        "    own.storage.append(pathlib.Path(sys.argv[1]), [run])\n"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", script, path, str(first)])
        for first in (100, 200)
    ]
    assert [one.wait(timeout=120) for one in writers] == [0, 0]
    assert len(storage.read(path)) == 30
    assert sorted(one.name for one in tmp_path.iterdir()) == [
        ".history.jsonl.lock",
        "history.jsonl",
    ]


def test_a_writer_that_holds_the_history_is_not_waited_for_without_end(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(storage, "LOCK_DEADLINE_S", 0.2)
    path = tmp_path / "history.jsonl"
    storage.append(path, [nightly(1)])
    with (tmp_path / ".history.jsonl.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(exceptions.DeadlineExceeded) as caught:
            storage.append(path, [nightly(2)])
    said = str(caught.value)
    assert f"holds {tmp_path / '.history.jsonl.lock'}, the lock of" in said
    assert f"the history {path} (end it if it hangs" in said
    assert storage.append(path, [nightly(2)]) == [nightly(1), nightly(2)]


def test_a_write_that_fails_leaves_the_history_as_it_was(
    tmp_path, monkeypatch
):
    path = tmp_path / "history.jsonl"
    storage.append(path, [nightly(1)])
    before = path.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(exceptions.InvalidInput, match="No space left"):
        storage.append(path, [nightly(2)])
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "Line 2 of the history .* can't be read: Expecting"),
        ("[]", "Line 2 .* it is not a run"),
        ('{"history": 2}', "newer release .schema 2; this one reads 1"),
        ('{"history": 1}', "Line 2 .* a field is missing or wrong: 'task'"),
    ],
)
def test_a_line_that_can_not_be_read_is_named_and_nothing_is_lost(
    tmp_path, line, why
):
    path = tmp_path / "history.jsonl"
    storage.append(path, [GOOD])
    with path.open("a") as file:
        file.write(line + "\n")
    before = path.read_text()
    with pytest.raises(exceptions.InvalidInput, match=why):
        storage.append(path, [nightly(1)])
    assert path.read_text() == before


def test_fields_of_a_later_release_are_left(tmp_path):
    path = tmp_path / "history.jsonl"
    line = json.loads(json.dumps(GOOD.to_json()))
    for part in (
        *(line, line["conditions"]),
        *(*line["judged"], *line["metrics"]),
    ):
        part["of_later"] = True
    path.write_text(json.dumps(line))
    assert storage.read(path) == [GOOD]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"at_s": "x"}, "Line 1 of .*: at_s is 'x', not a time in epoch se"),
        ({"at_s": float("nan")}, "at_s is nan"),
        ({"at_s": 1e15}, "at_s is 1000000000000000.0"),
        ({"at_s": True}, "at_s is True"),
        ({"state": "odd"}, "state is 'odd', not one of holds, fails, inv"),
        ({"state": []}, r"state is \[\], not one of"),
        (
            {"metrics": [dataclasses.replace(GOOD.metrics[0], value="x")]},
            r"field value is 'x', and a value of the type float is needed\.$",
        ),
        *(
            (
                {
                    "metrics": [
                        dataclasses.replace(GOOD.metrics[0], resolution=one)
                    ]
                },
                why,
            )
            for one, why in (
                ("x", "field resolution is 'x'"),
                (-1.0, "resolution of request_rate.min_rps step 1 is -1.0"),
                (float("nan"), "field resolution is nan"),
                (float("inf"), "field resolution is inf"),
                (True, "field resolution is True"),
            )
        ),
    ],
)
def test_a_value_that_can_not_be_followed_is_named(tmp_path, changes, why):
    path = tmp_path / "history.jsonl"
    run = dataclasses.replace(GOOD, **changes)
    path.write_text(json.dumps(run.to_json()))
    with pytest.raises(exceptions.InvalidInput, match=why):
        storage.read(path)


def test_a_history_that_is_not_there_is_told(tmp_path):
    with pytest.raises(exceptions.InvalidInput, match="There is no history"):
        storage.read(tmp_path / "none")
    with pytest.raises(exceptions.InvalidInput, match="can't be read"):
        storage.read(tmp_path)


def test_runs_are_grouped_by_what_makes_them_comparable():
    other = under(nodes="300 (299 hollow)")
    upgraded = under(versions={"Kubernetes": "v1.34.0"})
    runs = [
        nightly(1),
        nightly(2, conditions=other),
        nightly(3, conditions=upgraded),
        nightly(4),
        # It broke before a bay was there: it differs from neither.
        nightly(5, state="broken", conditions=under(nodes="", versions={})),
    ]
    one, two, three, four, five = runs
    assert storage.groups(runs) == [[one, four, five], [three], [two]]
    across = storage.groups(runs, across=["versions"])
    assert across == [[one, three, four, five], [two]]
    assert storage.comparable(runs, other) == [two, five]


def test_a_trend_follows_what_counts():
    name = "request_rate.min_rps step 2"
    metric = next(one for one in GOOD.metrics if one.name == name)

    def measured(value, **changes):
        return (dataclasses.replace(metric, value=value, **changes),)

    runs = [
        nightly(3, metrics=measured(3.0)),
        nightly(1, metrics=measured(1.0)),
        nightly(2, metrics=measured(2.0, reason="the generator was late")),
        nightly(4, metrics=measured(4.0), state="broken"),
        nightly(5, metrics=measured(5.0), state="invalid"),
    ]
    found = storage.trends(runs)[name]
    assert [point.value for point in found.points] == [1.0, 3.0]
    assert [point.run for point in found.points] == ["task-1/1", "task-3/1"]
    assert (found.unit, found.at_least) == ("rps", True)


def test_a_run_that_failed_a_bound_is_followed_and_so_is_its_resolution():
    name = "bay_create_time.max_s"
    runs = [nightly(1), nightly(2, state="fails")]
    points = storage.trends(runs)[name].points
    assert [point.run for point in points] == ["task-1/1", "task-2/1"]
    resolutions = [point.resolution for point in points]
    assert resolutions == pytest.approx([1.03, 1.03])
    # Lines of older releases lack it.
    line = json.loads(json.dumps(runs[0].to_json()))
    for metric in line["metrics"]:
        del metric["resolution"]
    old = storage.StoredRun.from_json(line)
    assert storage.trends([old])[name].points[0].resolution is None


def test_a_percentile_among_failed_requests_is_kept_in_words():
    run = factories.run(failures={"timeout": 5_000})
    workload = factories.workload(
        factories.iteration(of_run=run),
        sla={"request_latency": {"p99_ms": 50}},
    )
    (found,) = new_runs.of_report(factories.report(workload))
    (judged,) = found.judged
    assert (judged.holds, judged.value) == (False, None)
    assert judged.reason == "> 10 s (timed out)"
    assert storage.StoredRun.from_json(
        json.loads(json.dumps(found.to_json()))
    ) == (found)
    assert not [one for one in found.metrics if one.bound_key == "p99_ms"]

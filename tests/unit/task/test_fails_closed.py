"""Whatever is given to a criterion: it fails, and never raises."""

import copy
import json

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies
from rally.task import sla

from rally_magnum_scale.history import storage
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.measurement import conditions
from rally_magnum_scale.report import page
from rally_magnum_scale.report import table
from rally_magnum_scale.task.exporters import exporter_plugins
from rally_magnum_scale.task.exporters import result_files
from rally_magnum_scale.task.exporters import results
from rally_magnum_scale.task.sla import judging
from tests.unit.task import test_criterion_plugins
from tests.unit.task import test_results

CASES = [
    (name, config, good)
    for name, config, good, _ in test_criterion_plugins.CASES
]
BROKEN = ["Boom", "it broke after all was measured", "Traceback ..."]
# No number of a record, whatever the criterion reads.
ENDLESS = [float("nan"), float("inf"), float("-inf"), 10**400]
NUMBERS = ("iteration", "nodes", "create_s", "delete_s", "achieved_rps")
JUNK = [
    *(None, True, "soon", "", [], {}, [None], {"p50": "x"}, {"a": {}}),
    *(*ENDLESS, -(10**30)),
]
VERSION = f'"version":{records.VERSION}'
UNREADABLE = {
    "no JSON": "{",
    "a list": "[]",
    "a number": "7",
    "NaN alone": "NaN",
    "another version": '{"record":"bay","version":99}',
    "another kind": f'{{"record":"boy",{VERSION}}}',
    "a kind that can't be looked up": f'{{"record":[],{VERSION}}}',
    "no string": 5,
    "too deep": "[" * 100_000,
    "conditions without a field": f"""{{
        "record":"conditions",{VERSION},"task":"t","iteration":1,"bay":""
    }}""",
    "no iteration": f'{{"record":"start",{VERSION}}}',
}


class Unreadable(dict):
    """An iteration that says at length why it can't be read."""

    def __getitem__(self, key):
        raise ValueError("x" * 400)


def judge(name, config, *iterations):
    criterion = sla.SLA.get(name)(config)
    for one in iterations:
        criterion.add_iteration(one)
    return criterion.result()


def lines_of(iteration):
    (found,) = iteration["output"]["complete"]
    return found["data"]


def with_lines(iteration, lines):
    changed = copy.deepcopy(iteration)
    changed["output"]["complete"][0]["data"] = list(lines)
    return changed


def told(iteration, times):
    """The iteration, of a runner that was told how many to run."""
    asked = conditions.record("", "", {}, iterations=times)
    line = records.Source("task", 1, "").envelope(
        "conditions", asked.to_json()
    )
    return with_lines(iteration, [*lines_of(iteration), json.dumps(line)])


def places(value, path=()):
    """Return the path of every value inside a record."""
    found = [path] if path else []
    inner = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, one in inner:
        found += places(one, (*path, key))
    return found


def put(value, path, junk):
    *way, last = path
    for key in way:
        value = value[key]
    if junk is places:
        del value[last]
    else:
        value[last] = junk


@pytest.mark.parametrize(("name", "config", "good"), CASES)
def test_an_iteration_that_failed_satisfies_no_criterion(name, config, good):
    assert judge(name, config, good)["success"]
    failed = {**good, "error": BROKEN}
    for iterations in ([failed], [good, failed], [failed, good]):
        result = judge(name, config, *iterations)
        assert not result["success"]
        said = "the iteration failed: Boom: it broke after all was measured"
        assert said in result["detail"]


@pytest.mark.parametrize(("name", "config", "good"), CASES)
def test_an_iteration_that_left_no_result_fails_every_criterion(
    name, config, good
):
    one = told(good, 10)
    assert judge(name, config, *[one] * 10)["success"]
    result = judge(name, config, *[one] * 9)
    assert not result["success"]
    assert result["detail"] == "9 of 10 iterations have a result - Failed"
    left, right = (sla.SLA.get(name)(config) for _ in range(2))
    for _ in range(4):
        left.add_iteration(one)
    for _ in range(6):
        right.add_iteration(one)
    assert left.merge(right)
    assert left.result()["success"]
    assert not right.result()["success"]
    assert not judge(name, config, *[one] * 11)["success"]
    # Nor does one that saw nothing itself forget how many there must be.
    empty = sla.SLA.get(name)(config)
    empty.merge(right)
    assert empty.result() == right.result()


@pytest.mark.parametrize(("name", "config", "good"), CASES)
def test_of_a_runner_that_was_told_no_number_none_is_missing(
    name, config, good
):
    assert judge(name, config, good, good)["success"]


@pytest.mark.parametrize(("name", "config", "good"), CASES)
@pytest.mark.parametrize("line", UNREADABLE.values(), ids=UNREADABLE)
def test_records_that_can_not_be_read_fail(name, config, good, line):
    unread = with_lines(good, [*lines_of(good), line])
    for iterations in ([unread], [good, unread], [unread, good]):
        result = judge(name, config, *iterations)
        assert not result["success"]
        assert "it could not be judged: " in result["detail"]
        assert "iterations have a result" not in result["detail"]
        assert result["detail"].endswith(" - Failed")


def test_a_history_that_is_no_path_fails():
    result = judge("no_regression", {"history": 5}, test_results.iteration())
    assert not result["success"]
    assert "it could not be judged: TypeError" in result["detail"]


class Speechless(judging.Criterion):
    """A criterion that can't say what it found."""

    def judge(self, iteration):
        return True

    def join(self, other):
        return True

    def describe(self):
        raise ValueError("no words")


def test_a_criterion_that_can_not_say_what_it_found_fails():
    found = Speechless({})
    assert found.add_iteration(test_results.iteration())
    told = "it could not be judged: ValueError: no words - Failed"
    assert found.details() == told
    assert not found.merge(Speechless({}))


def test_a_reason_is_told_as_far_as_it_can_be_read():
    name, config, _ = CASES[0]
    told = f"it could not be judged: ValueError: {'x' * 288} - Failed"
    assert judge(name, config, Unreadable())["detail"] == told


@pytest.mark.parametrize(("reasons", "told"), [(2, 2), (3, 3), (4, 3)])
def test_no_more_than_three_reasons_are_told(reasons, told):
    name, config, good = CASES[0]
    unread = [with_lines(good, [str(number)]) for number in range(reasons)]
    detail = judge(name, config, *unread)["detail"]
    assert detail.count("it could not be judged: ") == told


@pytest.mark.parametrize("method", ["add_iteration", "merge", "details"])
def test_a_criterion_keeps_what_is_written_of_its_methods(method):
    assert getattr(sla.SLA.get("request_rate"), method).__doc__
    assert sla.SLA.get("no_regression").result.__doc__


@pytest.mark.parametrize(
    "name", [*test_criterion_plugins.IDS, "no_regression"]
)
@pytest.mark.parametrize(
    "iteration",
    [{}, None, [], {"error": []}, {"error": 5, "output": {"complete": [5]}}],
)
def test_what_is_no_iteration_fails(name, iteration, tmp_path):
    every = {n: c for n, c, _, _ in test_criterion_plugins.CASES}
    every["no_regression"] = {"history": str(tmp_path / "h")}
    one, other = (sla.SLA.get(name)(every[name]) for _ in range(2))
    assert not one.add_iteration(iteration)
    assert not other.merge(one)
    assert not one.merge(None)
    for criterion in (one, other):
        assert not criterion.result()["success"]
        assert "it could not be judged: " in criterion.details()


@settings(max_examples=40)
@given(strategies.data())
def test_no_value_in_a_record_makes_a_criterion_raise(data):
    name, config, good = data.draw(strategies.sampled_from(CASES))
    lines = [json.loads(line) for line in lines_of(good)]
    record = data.draw(strategies.sampled_from(lines))
    path = data.draw(strategies.sampled_from(places(record)))
    # The function itself stands for a key that is gone.
    junk = data.draw(strategies.sampled_from([*JUNK, places]))
    put(record, path, junk)
    odd = with_lines(good, [json.dumps(one) for one in lines])
    result = judge(name, config, good, odd)
    json.dumps(result)
    assert set(result) == {"criterion", "success", "detail"}
    report = results.read([_task(name, config, odd, result)])
    # Nothing that shows it raises, and nothing calls bad data good.
    (run,) = result_files.runs_of([_task(name, config, odd, result)])
    table.render(report)
    page.render(report)
    if not result["success"]:
        assert run.state != storage.HOLDS


@pytest.mark.parametrize("junk", ENDLESS, ids=["nan", "inf", "-inf", "large"])
@pytest.mark.parametrize(("name", "config", "good"), CASES)
def test_an_endless_number_in_a_record_never_holds(name, config, good, junk):
    spoiled = []
    for place, line in enumerate(lines_of(good)):
        for path in places(json.loads(line)):
            if path[-1] in NUMBERS:
                lines = list(lines_of(good))
                record = json.loads(line)
                put(record, path, junk)
                lines[place] = json.dumps(record)
                result = judge(name, config, good, with_lines(good, lines))
                assert not result["success"], path
                spoiled.append(path[-1])
    assert "iteration" in spoiled


def _task(name, config, iteration, result):
    work = test_results.workload(
        {**test_results.iteration(), **iteration},
        sla={name: config},
        sla_results={"sla": [result]},
    )
    return test_results.task(work)


@pytest.mark.parametrize("line", UNREADABLE.values(), ids=UNREADABLE)
def test_records_that_can_not_be_read_crash_no_export(line, tmp_path):
    name, config, good = CASES[0]
    unread = with_lines(good, [*lines_of(good), line])
    stored = _task(name, config, unread, judge(name, config, unread))
    report = results.read([stored])
    assert "iteration failed" in table.render(report)
    assert "<html" in page.render(report)
    (run,) = result_files.runs_of([stored])
    assert run.state == storage.BROKEN
    path = tmp_path / "history.jsonl"
    storage.append(path, [run])
    assert storage.read(path) == [run]
    text = exporter_plugins.JUnitExporter([stored], None).generate()["print"]
    assert "<failure>broken: 2 of 2 bounds do not hold" in text


@pytest.mark.parametrize("step", [1.0, True])
def test_a_step_that_json_takes_for_an_integer_is_that_step(step):
    good = test_criterion_plugins.iteration(
        test_criterion_plugins.step(), test_criterion_plugins.step(rps=1.0)
    )
    config = {"min_rps": 990, "step": step}
    assert judge("request_rate", config, good)["success"]
    assert not judge("request_rate", {"min_rps": 990}, good)["success"]


@pytest.mark.parametrize("step", [1.5, "1", 0, 3, -1, float("nan"), [1]])
def test_a_step_that_is_none_fails(step):
    good = test_criterion_plugins.iteration(test_criterion_plugins.step())
    result = judge("request_rate", {"min_rps": 1, "step": step}, good)
    assert not result["success"]
    assert result["detail"].endswith("- Failed")


@pytest.mark.parametrize(
    "config",
    [
        {},
        None,
        5,
        [],
        {"min_rps": None},
        {"min_rps": "1"},
        {"min_rps": float("nan")},
        {"min_rps": True},
        {"step": 1},
        {"min_rps": 0, "during": ["update"]},
        {5: 1, "a": 2},
    ],
)
def test_a_configuration_that_asks_for_nothing_fails(config):
    good = test_criterion_plugins.iteration(test_criterion_plugins.step())
    result = judge("request_rate", config, good)
    assert not result["success"]
    work = test_results.workload(
        {**test_results.iteration(), **good},
        sla={"request_rate": config},
        # As if a release before had let it pass.
        sla_results={"sla": [{**result, "success": True}]},
    )
    (run,) = result_files.runs_of([test_results.task(work)])
    assert run.state != storage.HOLDS


def test_a_value_without_end_holds_no_bound_from_below():
    line = test_criterion_plugins.search(float("inf"))
    assert not judge("max_rate", {"min_rps": 1}, line)["success"]


def test_rally_takes_all_results_although_one_can_not_be_judged():
    name, config, good = CASES[0]
    checker = sla.SLAChecker({"sla": {f"{name}@default": config}})
    unread = with_lines(good, ["{"])
    assert checker.add_iteration(good)
    assert not checker.add_iteration(unread)
    assert not checker.add_iteration({})
    other = sla.SLAChecker({"sla": {f"{name}@default": config}})
    assert not checker.merge(other)
    (result,) = checker.results()
    assert (result["criterion"], result["success"]) == (name, False)

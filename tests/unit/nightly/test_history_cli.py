"""The command over the history."""

import dataclasses
import json

import pytest

from rally_magnum_scale.history import storage
from rally_magnum_scale.nightly import history_cli
from tests.unit.history import test_storage
from tests.unit.report import test_runs_page
from tests.unit.task import test_histories

QUIET = test_runs_page.QUIET


@pytest.fixture
def path(tmp_path):
    return tmp_path / "history.jsonl"


def write(path, *values):
    storage.append(path, test_runs_page.nights(*values))


def run(capsys, *arguments):
    status = history_cli.main([str(one) for one in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_results_of_rally_are_added(tmp_path, path, capsys):
    task = test_histories.as_rally_writes(test_histories.whole_task())
    (tmp_path / "results.json").write_text(json.dumps(task))
    status, output, _ = run(
        capsys, "add", tmp_path, "--to", path, "--link", "night/page.html"
    )
    assert (status, output) == (0, f"Added 1 runs; {path} has 1 now.\n")
    assert storage.read(path)[0].link == "night/page.html"


def test_runs_are_listed_by_their_common_settings(path, capsys):
    write(path, *QUIET[:2])
    status, output, _ = run(capsys, "list", path)
    head, *lines = output.splitlines()
    assert head.startswith("MagnumScale.throughput, 200 (199 hollow) nodes")
    assert [line.split()[:4] for line in lines] == [
        ["1970-01-02", "00:00", "holds", "task-1/1"],
        ["1970-01-03", "00:00", "holds", "task-2/1"],
    ]
    status, output, _ = run(capsys, "list", path, "--json")
    ((one, _),) = json.loads(output)
    assert (status, one["task"]) == (0, "task-1")


def test_a_worse_metric_is_found(path, capsys):
    write(path, *QUIET, 13.0, 13.0)
    status, output, _ = run(capsys, "check", path)
    assert status == 1
    assert "  worse: bay_create_time.max_s: 30% worse, 13 s after 10" in output
    assert "noise alone would make a difference this large in" in output
    status, output, _ = run(capsys, "check", path, "--json")
    (found,) = json.loads(output)
    assert (status, found["run"], found["holds"]) == (1, "task-12/1", False)
    assert found["state"] == "worse"
    assert 0 < found["worse"][0]["p_value"] < 0.01
    assert found["worse"][0]["since"]["run"] == "task-11/1"


def test_a_run_that_broke_is_not_named_as_the_one_that_is_worse(path, capsys):
    *runs, last = test_runs_page.nights(*QUIET, 13.0, 13.0, 13.0)
    broken = dataclasses.replace(last, state="broken", metrics=())
    storage.append(path, [*runs, broken])
    status, output, _ = run(capsys, "check", path)
    assert status == 1
    assert "  the compared run is task-12/1, 1970-01-13 00:00.\n" in output
    assert (
        "  the newest run, task-13/1, broke, so it is not compared.\n"
        in output
    )
    _, output, _ = run(capsys, "check", path, "--json")
    (found,) = json.loads(output)
    assert (found["run"], found["newest"]) == ("task-12/1", "task-13/1")


def test_a_change_from_zero_is_json_for_any_reader(path, capsys):
    errors = test_runs_page.ERRORS
    runs = [
        dataclasses.replace(
            one, metrics=(dataclasses.replace(errors, value=value),)
        )
        for one, value in zip(
            test_runs_page.nights(*QUIET),
            [0.0] * 8 + [0.3] * 2,
            strict=True,
        )
    ]
    storage.append(path, runs)
    status, output, _ = run(capsys, "check", path, "--json")
    assert status == 1
    assert "Infinity" not in output
    assert json.loads(output)[0]["worse"][0]["change_ratio"] is None


def test_quiet_nights_are_quiet(path, capsys):
    write(path, *QUIET, 10.1)
    assert run(capsys, "check", path)[0] == 0
    status, output, _ = run(capsys, "check", path, "--metric", "max_rate")
    assert status == 3
    assert "max_rate was not measured" in output


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_an_empty_history_is_no_comparison(path, capsys, more):
    path.touch()
    status, output, error = run(capsys, "check", path, *more)
    assert status == 3
    assert output == ("[]\n" if more else "")
    assert error == (
        f"rally-magnum-history: The history {path} is empty, so nothing "
        "could be compared.\n"
    )


def test_an_unreadable_history_is_named(path, capsys):
    status, _, error = run(capsys, "check", path)
    assert (status, "There is no history" in error) == (2, True)
    path.write_text("{")
    status, _, error = run(capsys, "check", path)
    assert (status, "Line 1 of the history" in error) == (2, True)


@pytest.mark.parametrize("state", ["broken", "invalid"])
def test_a_newest_run_that_does_not_count_is_no_comparison(
    path, capsys, state
):
    *runs, last = test_runs_page.nights(*QUIET)
    storage.append(path, [*runs, dataclasses.replace(last, state=state)])
    status, output, _ = run(capsys, "check", path)
    assert (status, "so it is not compared" in output) == (3, True)
    path.unlink()
    storage.append(path, [dataclasses.replace(last, state=state)])
    status, output, _ = run(capsys, "check", path, "--json")
    (found,) = json.loads(output)
    assert (status, found["state"]) == (3, "not compared")
    assert (found["run"], found["holds"]) == (None, False)


def test_too_few_runs_are_learning_and_pass_if_that_is_wanted(path, capsys):
    write(path, *QUIET[:5])
    status, output, _ = run(capsys, "check", path)
    assert (status, "  learning (3 of 5 runs).\n" in output) == (0, True)
    status, output, _ = run(capsys, "check", path, "--no-learning-passes")
    assert (status, "  learning (3 of 5 runs).\n" in output) == (3, True)
    status, output, _ = run(capsys, "check", path, "--json")
    (found,) = json.loads(output)
    assert (status, found["state"], found["holds"]) == (0, "learning", True)


def test_one_group_that_is_quiet_hides_no_other(path, capsys):
    quiet = test_runs_page.nights(*QUIET)
    other = test_storage.under(nodes="500 (499 hollow)")
    spoilt = [
        dataclasses.replace(one, conditions=other, task=f"other-{one.task}")
        for one in test_runs_page.nights(*QUIET[:2])
    ]
    broken = [dataclasses.replace(one, state="broken") for one in spoilt]
    storage.append(path, [*quiet, *broken])
    assert run(capsys, "check", path)[0] == 3
    storage.append(path, test_runs_page.nights(*QUIET, 13.0, 13.0))
    assert run(capsys, "check", path)[0] == 1


def test_one_run_is_compared_with_when_it_is_chosen(path, capsys):
    write(path, *QUIET, 10.0)
    status, output, _ = run(capsys, "check", path, "--baseline", "task-99/1")
    assert status == 3
    assert "no comparable and valid run task-99/1 to be the" in output
    assert run(capsys, "check", path, "--baseline", "task-2/1")[0] == 0


def test_the_page_is_written(path, tmp_path, capsys):
    write(path, *QUIET[:3])
    page = tmp_path / "new" / "page.html"
    status, output, _ = run(capsys, "page", path, "--out", page)
    assert (status, output) == (0, f"{page} shows 3 runs.\n")
    assert "bay_create_time.max_s" in page.read_text()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--last", "0"), "--last: 0 is out of range. Give 1 or more."),
        (("--min-runs", "2"), "--min-runs: 2 is out of range. Give 5"),
        (("--confidence", "1"), "--confidence: 1.0 is out of range"),
        (("--min-change-ratio", "-1"), "--min-change-ratio: -1.0 is out"),
    ],
)
def test_a_wrong_value_is_named(path, capsys, arguments, why):
    write(path, *QUIET[:2])
    status, _, error = run(capsys, "check", path, *arguments)
    assert status == 2
    assert why in error


def test_a_missing_history_is_named(path, capsys):
    status, _, error = run(capsys, "list", path)
    assert status == 2
    assert error.startswith("rally-magnum-history: There is no history")


def test_a_page_that_cannot_be_written_is_named(path, tmp_path, capsys):
    write(path, *QUIET[:2])
    status, _, error = run(capsys, "page", path, "--out", tmp_path)
    assert status == 2
    assert f"--out: {tmp_path} can't be written: " in error

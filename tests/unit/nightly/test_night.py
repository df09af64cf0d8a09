"""A whole night, with a program that stands for Rally's."""

import contextlib
import dataclasses
import json
import os

import pytest

from rally_magnum_scale import commands
from rally_magnum_scale import exceptions
from rally_magnum_scale import interruption
from rally_magnum_scale.history import comparison
from rally_magnum_scale.history import storage
from rally_magnum_scale.nightly import cli
from rally_magnum_scale.nightly import clouds
from rally_magnum_scale.nightly import folders
from rally_magnum_scale.nightly import night
from rally_magnum_scale.nightly import outcome
from rally_magnum_scale.nightly import settings
from tests.unit.nightly import test_rally_tasks
from tests.unit.report import test_runs_page
from tests.unit.task import test_histories


@pytest.fixture
def cloud(tmp_path, monkeypatch):
    """Answer with these results; a ScaleError for a cloud that is not."""
    results = tmp_path / "results.json"
    environment = {**os.environ, "STAND_IN_RESULTS": str(results)}

    @contextlib.contextmanager
    def opened(wanted, log, until):
        (wanted.folder / clouds.HOME).mkdir(exist_ok=True)
        if "error" in environment:
            raise exceptions.InvalidInput(environment["error"])
        yield environment

    def answer(**variables):
        task = test_histories.whole_task(**variables.pop("task", {}))
        written = test_histories.as_rally_writes(task)
        results.write_text(json.dumps(written))
        environment.update(variables)

    monkeypatch.setattr(clouds, "opened", opened)
    monkeypatch.setattr(commands, "RALLY", str(test_rally_tasks.PROGRAM))
    answer()
    return answer


@pytest.fixture
def nightly(tmp_path):
    task = tmp_path / "task.json"
    task.touch()
    return settings.Settings(
        tmp_path / "nights",
        (settings.TaskSettings("task", task),),
        sandbox=True,
        keep=2,
        grace_s=30.0,
    )


def run(nightly, **changes):
    return night.run(
        dataclasses.replace(nightly, **changes), lambda line: None
    )


def test_all_that_a_night_came_to_is_kept(cloud, nightly):
    came_out = run(nightly)
    folder = nightly.folder / came_out.name
    assert sorted(path.name for path in folder.iterdir()) == [
        "summary.json",
        "summary.txt",
        "task.html",
        "task.json",
        "task.junit.xml",
        "task.log",
    ]
    (kept,) = storage.read(nightly.folder / folders.HISTORY)
    assert kept.link == f"{came_out.name}/task.html"
    assert came_out.tasks[0].state == kept.state
    assert came_out.exit == outcome.EXITS[kept.state]
    assert outcome.Night.read(folder / folders.SUMMARY) == came_out
    assert (folder / "summary.txt").read_text() == came_out.text()
    index = (nightly.folder / "index.html").read_text()
    assert f'href="{came_out.name}/task.html"' in index
    assert kept.link in (nightly.folder / folders.RUNS_PAGE).read_text()
    metrics = (nightly.folder / folders.METRICS).read_text()
    assert metrics.endswith("# EOF\n")


def test_old_nights_go_and_are_linked_to_no_more(cloud, nightly):
    names = []
    for number in range(3):
        cloud(task={"uuid": str(number)})
        names.append(run(nightly).name)
    assert [path.name for path in folders.nights(nightly.folder)] == [
        names[2],
        names[1],
    ]
    assert len(storage.read(nightly.folder / folders.HISTORY)) == 3
    for page in (folders.RUNS_PAGE, "index.html"):
        text = (nightly.folder / page).read_text()
        assert f"{names[2]}/task.html" in text
        assert f'"{names[0]}/task.html' not in text


@pytest.mark.parametrize(
    ("variables", "changes", "words"),
    [
        (
            {"STAND_IN_WAY": "not-begin"},
            {},
            "exited with 1: No cloud answers.",
        ),
        ({"error": "No such cloud."}, {}, "! No such cloud."),
        (
            {"STAND_IN_WAY": "hang"},
            {"deadline_s": 3.0},
            "Incomplete: it was interrupted at its deadline",
        ),
        ({}, {"deadline_s": 1e-9}, "not started, because the night's "),
        (
            {"STAND_IN_RESULTS": "/nowhere"},
            {},
            "Its results could not be kept: Could not export the task",
        ),
    ],
)
def test_the_outcome_names_the_failure(
    cloud, nightly, variables, changes, words
):
    cloud(**variables)
    came_out = run(nightly, **changes)
    assert words in came_out.text()
    assert (came_out.state, came_out.exit) == (storage.BROKEN, 3)
    assert (nightly.folder / "index.html").is_file()


def test_the_outcome_has_rallys_reason_for_a_refusal(cloud, nightly):
    # Of `validation_result` Rally's export has nothing.
    cloud(task={"status": "crashed", "subtasks": []}, STAND_IN_WAY="refuse")
    (task,) = run(nightly).tasks
    assert task.state == storage.BROKEN
    assert "Rally refused the task c0ffee00: Scenario plugin" in task.sentence
    assert "0 is less than the minimum of 1; SLA plugin" in task.sentence
    assert "'max_z' was unexpected." in task.sentence
    page = nightly.folder / run(nightly).name / "task.html"
    assert "&#39;max_z&#39; was unexpected." in page.read_text()


def test_a_page_that_can_not_be_drawn_does_not_lose_the_night(
    cloud, nightly, monkeypatch
):
    def fail(*whatever):
        raise KeyError("x")

    monkeypatch.setattr(night.page, "render", fail)
    lines = []
    came_out = night.run(nightly, lines.append)
    (task,) = came_out.tasks
    assert task.sentence == (
        "The only bound holds. Its page could not be drawn: KeyError: 'x'."
    )
    assert (task.state, task.page) == (storage.BROKEN, "")
    assert came_out.exit == 3
    assert any("Traceback" in line for line in lines)


def test_a_night_gets_its_name_when_its_summary_is_there(
    cloud, nightly, monkeypatch
):
    seen = []

    def die(folder):
        seen.append(folder)
        raise SystemExit(9)

    monkeypatch.setattr(folders, "end", die)
    with pytest.raises(SystemExit):
        run(nightly)
    (partial,) = seen
    assert partial.suffix == folders.PARTIAL
    summary = outcome.Night.read(partial / folders.SUMMARY)
    assert f"{summary.name}.partial" == partial.name
    assert (partial / "summary.txt").read_text() == summary.text()
    assert {path.suffix for path in partial.iterdir()} == {
        ".html",
        ".json",
        ".log",
        ".txt",
        ".xml",
    }


def test_the_outcome_is_reported_even_if_the_pages_fail(cloud, nightly):
    nightly.folder.mkdir()
    (nightly.folder / folders.HISTORY).write_text("no run\n")
    outcomes = []
    with pytest.raises(exceptions.InvalidInput, match="Line 1 of the history"):
        night.run(nightly, lambda line: None, outcomes.append)
    (came_out,) = outcomes
    assert (nightly.folder / came_out.name / "summary.txt").is_file()


def test_both_errors_of_a_cloud_are_reported(cloud, nightly, monkeypatch):
    @contextlib.contextmanager
    def opened(*whatever):
        try:
            raise exceptions.CommandFailed("It did not come up.")
        finally:
            raise exceptions.CommandFailed("It did not go down.")
        yield

    monkeypatch.setattr(clouds, "opened", opened)
    assert run(nightly).error == (
        "It did not come up. After that: It did not go down."
    )


def test_opening_the_cloud_ends_at_the_deadline_of_the_night(
    nightly, monkeypatch
):
    seen = []

    @contextlib.contextmanager
    def opened(wanted, log, until):
        seen.append(until)
        raise exceptions.InvalidInput("No cloud.")
        yield

    monkeypatch.setattr(clouds, "opened", opened)
    came_out = run(nightly, deadline_s=100.0)
    (until,) = seen
    assert until.limit_s == 100.0
    assert until.left_s() <= 100.0 - came_out.took_s


def test_the_next_night_reports_a_killed_night(cloud, nightly):
    nightly.folder.mkdir()
    folders.begin(nightly.folder, 0.0)
    assert run(nightly).notes == ("the night 1970-01-01T000000Z was killed",)
    index = (nightly.folder / "index.html").read_text()
    assert "Killed before its end" in index


def test_a_night_that_is_interrupted_starts_no_further_task(cloud, nightly):
    handlers = interruption.install()
    try:
        interruption._note(2, None)
        came_out = run(nightly)
    finally:
        interruption.restore(interruption.install())
        interruption.restore(handlers)
    assert came_out.exit == outcome.EXIT_INTERRUPTED
    assert "not started, because the night was interr" in came_out.text()


def compare(every):
    """Return the outcome of a task that ran last of all."""
    found = night._compare(every[-1:], every, comparison.Ask())
    return outcome.TaskOutcome("", storage.HOLDS, "", **found)


def test_worse_metrics_are_proven_suspected_or_listed():
    def judged(*values):
        return compare(test_runs_page.nights(*values))

    quiet = test_runs_page.QUIET
    assert judged(*quiet, 10.0).exit == 0
    suspected = judged(*quiet, 13.0)
    assert (suspected.exit, suspected.worse) == (0, ())
    assert "bay_create_time.max_s: 30% worse" in suspected.suspected[0]
    worse = judged(*quiet, 13.0, 13.0)
    assert (worse.exit, worse.suspected) == (1, ())
    assert "since run task-11/1" in worse.worse[0]
    assert judged(10.0, 13.0).beside_last == (
        "bay_create_time.max_s: 30% worse, 13 s after 10 s",
    )
    assert judged(10.0, 200.0).beside_last == (
        "bay_create_time.max_s: 20 times as much, 200 s after 10 s",
    )
    assert judged(10.0).beside_last == judged(10.0, 10.5).beside_last == ()


def test_a_night_that_could_not_be_compared_is_no_good_one():
    quiet = test_runs_page.nights(*test_runs_page.QUIET)
    assert compare(quiet).not_compared == compare(quiet).learning == ()
    vanished = [*quiet[:-1], dataclasses.replace(quiet[-1], metrics=())]
    task = dataclasses.replace(compare(vanished), name="one", sentence="So.")
    assert task.not_compared == (
        "not measured this time, but in previous runs: bay_create_time.max_s",
    )
    assert task.exit == 2
    came_out = outcome.Night("n", 0.0, 1.0, "c", (task,))
    assert came_out.exit == 2
    assert "1 of them not fully compared" in came_out.headline
    assert "    not compared: not measured this time" in came_out.text()
    # The state of an invalid run is enough.
    invalid = dataclasses.replace(vanished[-1], state="invalid")
    assert compare([*quiet[:-1], invalid]).not_compared == ()


def test_a_night_that_is_learning_says_so():
    every = test_runs_page.nights(*test_runs_page.QUIET[:5])
    task = compare(every)
    assert (task.learning, task.exit) == (("learning (3 of 5 runs)",), 0)
    text = outcome.Night("n", 0.0, 1.0, "c", (task,)).text()
    assert "\n    learning (3 of 5 runs)\n" in text


def test_one_metric_is_suspected_beside_another_that_is_worse():
    quiet = test_runs_page.QUIET
    both = zip(
        test_runs_page.nights(*quiet, 13.0, 13.0),
        [*quiet, 10.0, 20.0],
        strict=True,
    )
    every = [
        dataclasses.replace(
            run_,
            metrics=(
                *run_.metrics,
                dataclasses.replace(
                    run_.metrics[0], bound_key="other", value=value
                ),
            ),
        )
        for run_, value in both
    ]
    compared = compare(every)
    assert [one.partition(":")[0] for one in compared.worse] == [
        "bay_create_time.max_s"
    ]
    assert [one.partition(":")[0] for one in compared.suspected] == [
        "bay_create_time.other"
    ]


def outcome_of(*states, **changes):
    tasks = tuple(outcome.TaskOutcome("one", state, "So.") for state in states)
    return outcome.Night("n", 0.0, 65.0, "c", tasks, **changes)


def test_the_worst_of_all_is_the_exit_status():
    assert [outcome_of(one).exit for one in storage.STATES] == [0, 1, 2, 3]
    assert outcome_of(*storage.STATES).exit == 3
    assert outcome_of("holds", "invalid", "fails").exit == 2
    assert outcome_of().exit == 3
    assert outcome_of("holds", error="No cloud.").exit == 3
    assert outcome_of("broken", interrupted=True).exit == 130
    worse = outcome.TaskOutcome("one", "holds", "So.", worse=("x",))
    came_out = outcome.Night("n", 0.0, 3665.0, "c", (worse,))
    assert came_out.exit == 1
    assert came_out.headline == (
        "holds, 1 task, 1 of them worse than before, in 1 h 1 min 5 s on c"
    )


def test_a_chat_message_stays_short():
    many = tuple(f"metric {number}" for number in range(9))
    task = outcome.TaskOutcome(
        "one", "holds", "All hold.", 0.0, "", many, many, many
    )
    text = outcome.Night("n", 0.0, 1.0, "c", (task,)).text()
    for label in (
        "worse",
        "suspected, until the next night",
        "compared with the last night",
    ):
        assert f"    {label}: metric 4\n    … and 4 more\n" in text
        assert f"{label}: metric 5" not in text
    assert len(text.splitlines()) == 2 + 3 * 6


def test_the_command_names_the_error_and_exits_with_3(tmp_path, capsys, cloud):
    path = tmp_path / "nightly.yaml"
    assert cli.main([str(path)]) == 3
    assert capsys.readouterr().err.startswith("rally-magnum-nightly: The f")
    (tmp_path / "task.json").touch()
    path.write_text(
        "{cloud: {sandbox: true}, folder: n, tasks: [{task: task.json}]}"
    )
    status = cli.main([str(path)])
    output = capsys.readouterr().out
    assert (
        status
        == outcome.EXITS[
            storage.read(tmp_path / "n" / folders.HISTORY)[0].state
        ]
    )
    assert f"(exit {status})" in output
    (tmp_path / "n" / folders.HISTORY).write_text("no run\n")
    assert cli.main([str(path)]) == 3
    captured = capsys.readouterr()
    assert "(exit 3)" in captured.out
    assert captured.err.startswith(
        "rally-magnum-nightly: Line 1 of the history"
    )
    with folders.alone(tmp_path / "n"):
        assert cli.main([str(path)]) == 3
    assert "Another night is running" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["--no-such"], ["a", "b"]])
def test_wrong_arguments_are_no_invalid_run(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 3
    assert "rally-magnum-nightly: error: " in capsys.readouterr().err


def test_a_bug_in_the_program_is_not_a_failed_sla(
    tmp_path, capsys, monkeypatch
):
    def fail(path):
        raise KeyError("x")

    monkeypatch.setattr(cli.nightly_settings, "read", fail)
    assert cli.main([str(tmp_path / "nightly.yaml")]) == 3
    output = capsys.readouterr().err
    assert "KeyError: 'x'\nrally-magnum-nightly: this is a bug in" in output


def test_the_summary_of_something_else_is_refused(tmp_path):
    path = tmp_path / "summary.json"
    for text in ("[]", "{}", "{"):
        path.write_text(text)
        with pytest.raises(ValueError):
            outcome.Night.read(path)

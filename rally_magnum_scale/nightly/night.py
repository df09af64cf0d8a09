"""A night: each task on the cloud, its results kept, all summed up."""

from __future__ import annotations

import dataclasses
import pathlib
import time
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence

from rally_magnum_scale import exceptions
from rally_magnum_scale import interruption
from rally_magnum_scale import whole_files
from rally_magnum_scale.nightly import clouds
from rally_magnum_scale.nightly import folders
from rally_magnum_scale.nightly import nights_page
from rally_magnum_scale.nightly import outcome
from rally_magnum_scale.nightly import predecessor
from rally_magnum_scale.nightly import rally_tasks
from rally_magnum_scale.nightly import settings as nightly_settings
from rally_magnum_scale.report import comparison
from rally_magnum_scale.report import conclusion
from rally_magnum_scale.report import history
from rally_magnum_scale.report import openmetrics
from rally_magnum_scale.report import page
from rally_magnum_scale.report import runs_page
from rally_magnum_scale.task.exporters import result_files
from rally_magnum_scale.task.exporters import results

HISTORY = "history.jsonl"
METRICS = "metrics.prom"
RUNS_PAGE = "runs.html"

Report = Callable[[str], None]


def run(settings: nightly_settings.Settings, report: Report) -> outcome.Night:
    """Run all tasks, and write what they came to.

    A cloud that can't be reached, or a task that fails, is part of what a
    night came to, and is written down as such.

    :raises NightRuns: when another night is going on in the folder
    :raises InvalidInput: when nothing can be written there
    """
    began_s, clock_s = time.time(), time.monotonic()
    with folders.alone(settings.folder):
        notes = _clean_up(settings, report)
        partial = folders.begin(settings.folder, began_s)
        work = _Work(settings, partial, clock_s, report)
        tasks, error = work.all_tasks()
        final = folders.end(partial)
        night = outcome.Night(
            name=final.name,
            began_s=began_s,
            took_s=time.monotonic() - clock_s,
            cloud=settings.cloud,
            tasks=tuple(tasks),
            error=error,
            notes=tuple(notes),
            interrupted=interruption.requested(),
        )
        night.write(final / folders.SUMMARY)
        (final / "summary.txt").write_text(night.text())
        folders.keep(settings.folder, settings.keep)
        _write_pages(settings)
        return night


def _clean_up(
    settings: nightly_settings.Settings, report: Report
) -> list[str]:
    """Clear away what killed nights left, and say what that was.

    Bays that they left are removed by the first task that starts, which
    knows them by their marks.
    """
    ended = predecessor.end(settings.folder, settings.grace_s, report)
    killed = folders.set_aside_killed(settings.folder)
    notes = [f"the night {name} had been killed" for name in killed]
    if ended:
        notes.append(
            f"what a killed night had left running was ended ({ended} in all)"
        )
    return notes


@dataclasses.dataclass(frozen=True)
class _Work:
    """The tasks of one night.

    :param folder: that their files go to
    :param began_s: when the night began, by the monotonic clock
    """

    settings: nightly_settings.Settings
    folder: pathlib.Path
    began_s: float
    report: Report

    def all_tasks(self) -> tuple[list[outcome.Task], str]:
        """Return what the tasks came to, and why the cloud failed, if so."""
        tasks: list[outcome.Task] = []
        try:
            with clouds.opened(self.settings, self.report) as environment:
                marked = environment | {
                    predecessor.NIGHT_VARIABLE: str(self.settings.folder)
                }
                for number, task in enumerate(self.settings.tasks, 1):
                    total = len(self.settings.tasks)
                    self.report(f"task {number} of {total}: {task.name}")
                    tasks.append(self._one(task, marked))
                    self.report(f"{task.name}: {tasks[-1].state}")
        except exceptions.ScaleError as error:
            return tasks, str(error)
        return tasks, ""

    def _one(
        self, task: nightly_settings.Task, environment: Mapping[str, str]
    ) -> outcome.Task:
        left_s = self.settings.deadline_s - (time.monotonic() - self.began_s)
        if interruption.requested() or left_s <= 0:
            why = (
                "the night was interrupted"
                if interruption.requested()
                else f"the night's deadline of {self.settings.deadline_s:.0f} "
                "s was over"
            )
            return _broken(task, f"It was not started, as {why}.")
        ended = rally_tasks.run(
            task,
            environment,
            self.folder / f"{task.name}.log",
            limit_s=min(left_s, task.deadline_s or left_s),
            grace_s=self.settings.grace_s,
            report=self.report,
        )
        if not ended.uuid:
            said = ended.cut_short or (
                f"`rally task start` ended with {ended.status}: "
                f"{ended.last_line}"
            )
            return _broken(task, f"No task began: {said}", ended.took_s)
        try:
            with interruption.deferred():
                return self._judge(task, ended, environment)
        except (exceptions.ScaleError, OSError) as error:
            said = f"Its results could not be kept: {error}"
            return dataclasses.replace(
                _broken(task, said, ended.took_s), uuid=ended.uuid
            )

    def _judge(
        self,
        task: nightly_settings.Task,
        ended: rally_tasks.Ended,
        environment: Mapping[str, str],
    ) -> outcome.Task:
        kept = self.folder / f"{task.name}.json"
        for kind, path in (
            ("json", kept),
            ("junit-xml", self.folder / f"{task.name}.junit.xml"),
        ):
            rally_tasks.export(
                ended.uuid,
                kind,
                path,
                environment,
                self.settings.folder / clouds.HOME / "export.log",
            )
        found = result_files.read(kept)
        drawn = results.read(found)
        name = f"{task.name}.html"
        night = self.folder.name.removesuffix(folders.PARTIAL)
        added = result_files.runs_of(found, f"{night}/{name}")
        every = history.append(self.settings.folder / HISTORY, added)
        (self.folder / name).write_text(page.render(drawn, every))
        sentence = conclusion.conclude(drawn.workloads, drawn.errors).sentence
        state = max(
            (one.state for one in added),
            key=outcome.EXITS.__getitem__,
            default=history.BROKEN,
        )
        if ended.cut_short:
            state = history.BROKEN
            sentence = f"Not to its end: {ended.cut_short}. {sentence}"
        told = _tell(added, every, comparison.Ask(across=self.settings.across))
        return dataclasses.replace(
            told,
            name=task.name,
            state=state,
            sentence=sentence,
            took_s=ended.took_s,
            uuid=ended.uuid,
            page=name,
        )


def _broken(
    task: nightly_settings.Task, sentence: str, took_s: float = 0.0
) -> outcome.Task:
    return outcome.Task(task.name, history.BROKEN, sentence, took_s)


def _tell(
    added: Sequence[history.Run],
    every: Sequence[history.Run],
    ask: comparison.Ask,
) -> outcome.Task:
    """Return a task that knows only what is worse than before."""
    worse: list[str] = []
    suspected: list[str] = []
    beside: list[str] = []
    for run_ in added:
        if run_.state == history.BROKEN:
            continue
        compared = comparison.compare_run(run_, every, ask)
        where = f"{run_.name}: " if len(added) > 1 else ""
        worse += [where + one.describe() for one in compared.outcome.worse]
        suspected += [where + one.describe() for one in compared.suspected]
        if not compared.outcome.compared:
            last = comparison.beside_last(run_, every, ask)
            beside += [where + one for one in last]
    return outcome.Task(
        "",
        history.HOLDS,
        "",
        worse=tuple(worse),
        suspected=tuple(suspected),
        beside_last=tuple(beside),
    )


def _write_pages(settings: nightly_settings.Settings) -> None:
    runs = history.read(settings.folder / HISTORY, missing_ok=True)
    # Pages of nights that are kept no more can't be linked to.
    linked = [
        one
        if (settings.folder / one.link).is_file()
        else dataclasses.replace(one, link="")
        for one in runs
    ]
    drawn = {
        RUNS_PAGE: runs_page.render(linked, settings.across),
        METRICS: openmetrics.render(runs),
        "index.html": nights_page.render(settings.folder, RUNS_PAGE),
    }
    for name, text in drawn.items():
        whole_files.write(settings.folder / name, text)

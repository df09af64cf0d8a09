"""Run a night: run the tasks, keep the results, write the summary."""

from __future__ import annotations

import dataclasses
import pathlib
import time
import traceback
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence

from rally_magnum_scale import exceptions
from rally_magnum_scale import files
from rally_magnum_scale import interruption
from rally_magnum_scale.history import comparison
from rally_magnum_scale.history import storage
from rally_magnum_scale.nightly import clouds
from rally_magnum_scale.nightly import deadline
from rally_magnum_scale.nightly import folders
from rally_magnum_scale.nightly import outcome
from rally_magnum_scale.nightly import pages
from rally_magnum_scale.nightly import processes
from rally_magnum_scale.nightly import rally_tasks
from rally_magnum_scale.nightly import settings as nightly_settings
from rally_magnum_scale.report import conclusion
from rally_magnum_scale.report import model
from rally_magnum_scale.report import page
from rally_magnum_scale.task.exporters import result_files
from rally_magnum_scale.task.exporters import results

Log = Callable[[str], None]


def run(
    settings: nightly_settings.Settings,
    log: Log,
    on_outcome: Callable[[outcome.Night], None] = lambda _: None,
) -> outcome.Night:
    """Run all tasks, and write their outcome.

    An unreachable cloud or a failed task does not raise; it becomes part of
    the outcome.

    The night's deadline counts from here.  Processes of a killed night get
    grace_s and 40 s to end, even if the deadline is shorter.  After the
    deadline, the running task is interrupted.  It ends within grace_s and
    40 s.  Two exports take at most 300 s each, the lock of the history is
    waited for at most 60 s, and a sandbox that the night brought up goes
    down within 600 s.

    :param on_outcome: receives the outcome, even if the pages over all nights
        can't be drawn afterwards
    :raises NightRuns: when another night uses the folder
    :raises InvalidInput: when the folder can't be written, or the history
        can't be read
    """
    began_s, until = time.time(), deadline.Deadline(settings.deadline_s)
    with folders.alone(settings.folder):
        notes = _clean_up(settings, log)
        partial = folders.begin(settings.folder, began_s)
        tasks, error = _Work(settings, partial, until, log).all_tasks()
        night = outcome.Night(
            name=folders.name_at_end(partial),
            began_s=began_s,
            took_s=time.monotonic() - until.began_s,
            cloud=settings.cloud,
            tasks=tuple(tasks),
            error=error,
            notes=tuple(notes),
            interrupted=interruption.requested(),
        )
        night.write(partial / folders.SUMMARY)
        files.atomic_write(partial / "summary.txt", night.text())
        folders.end(partial)
        try:
            folders.keep(settings.folder, settings.keep)
            pages.write(settings)
        finally:
            on_outcome(night)
        return night


def _clean_up(settings: nightly_settings.Settings, log: Log) -> list[str]:
    """Clean up after killed nights, and return notes about it.

    The first task that starts removes the bays of killed nights, because it
    finds their run markers.
    """
    ended = processes.end_killed(settings.folder, settings.grace_s, log)
    killed = folders.set_aside_killed(settings.folder)
    notes = [f"the night {name} was killed" for name in killed]
    if ended:
        notes.append(
            f"ended {ended} processes that a killed night had left running"
        )
    return notes


@dataclasses.dataclass(frozen=True)
class _Work:
    """The tasks of one night."""

    settings: nightly_settings.Settings
    folder: pathlib.Path
    until: deadline.Deadline
    log: Log

    def all_tasks(self) -> tuple[list[outcome.TaskOutcome], str]:
        """Return the outcomes of the tasks, and the cloud's error if any."""
        tasks: list[outcome.TaskOutcome] = []
        try:
            with clouds.opened(
                self.settings, self.log, self.until
            ) as environment:
                for number, task in enumerate(self.settings.tasks, 1):
                    total = len(self.settings.tasks)
                    self.log(f"task {number} of {total}: {task.name}")
                    tasks.append(self._one(task, environment))
                    self.log(f"{task.name}: {tasks[-1].state}")
        except exceptions.ScaleError as error:
            return tasks, _message_chain(error)
        return tasks, ""

    def _one(
        self,
        task: nightly_settings.TaskSettings,
        environment: Mapping[str, str],
    ) -> outcome.TaskOutcome:
        left_s = self.until.left_s()
        if interruption.requested() or left_s <= 0:
            why = (
                "the night was interrupted"
                if interruption.requested()
                else f"the night's deadline of {self.settings.deadline_s:.0f} "
                "s had passed"
            )
            return _broken(task, f"It was not started, because {why}.")
        ended = rally_tasks.run(
            task,
            environment,
            self.folder / f"{task.name}.log",
            limit_s=min(left_s, task.deadline_s or left_s),
            grace_s=self.settings.grace_s,
            log=self.log,
        )
        if not ended.uuid:
            why = ended.cut_short or (
                f"`rally task start` exited with {ended.status}: "
                f"{ended.last_line}"
            )
            return _broken(task, f"No task started: {why}", ended)
        try:
            with interruption.deferred():
                return self._judge(task, ended, environment)
        except (exceptions.ScaleError, OSError) as error:
            why = str(error)
        except Exception as error:
            # An error in one task must not end the whole night.
            self.log(traceback.format_exc())
            why = f"{type(error).__name__}: {error}."
        return _broken(task, f"Its results could not be kept: {why}", ended)

    def _judge(
        self,
        task: nightly_settings.TaskSettings,
        ended: rally_tasks.Ended,
        environment: Mapping[str, str],
    ) -> outcome.TaskOutcome:
        kept = self.folder / f"{task.name}.json"
        junit = self.folder / f"{task.name}.junit.xml"
        log = self.settings.folder / clouds.HOME / "export.log"
        for kind, path in (("json", kept), ("magnum-scale-junit", junit)):
            rally_tasks.export(ended.uuid, kind, path, environment, log)
        found = [_with_refusal(one, ended) for one in result_files.read(kept)]
        report = results.read(found)
        name = f"{task.name}.html"
        night = folders.name_at_end(self.folder)
        added = result_files.runs_of(found, f"{night}/{name}")
        every = storage.append(self.settings.folder / folders.HISTORY, added)
        page_error = self._draw(name, report, every)
        sentence = conclusion.conclude(
            report.workloads, report.errors
        ).sentence
        state = max(
            (one.state for one in added),
            key=outcome.EXITS.__getitem__,
            default=storage.BROKEN,
        )
        if ended.cut_short:
            sentence = f"Incomplete: {ended.cut_short}. {sentence}"
        if ended.cut_short or page_error:
            state = storage.BROKEN
        ask = comparison.Ask(across=self.settings.across)
        return outcome.TaskOutcome(
            name=task.name,
            state=state,
            sentence=f"{sentence} {page_error}".rstrip(),
            took_s=ended.took_s,
            uuid=ended.uuid,
            page="" if page_error else name,
            **_compare(added, every, ask),
        )

    def _draw(
        self,
        name: str,
        report: model.Report,
        every: Sequence[storage.StoredRun],
    ) -> str:
        """Draw the page of a task; return the error if that fails.

        The outcome of the task must not be lost because of such an error.
        """
        try:
            html = page.render(report, every, self.settings.across)
            files.atomic_write(self.folder / name, html)
        except Exception as error:
            self.log(traceback.format_exc())
            why = f"{type(error).__name__}: {error}"
            return f"Its page could not be drawn: {why}."
        return ""


def _broken(
    task: nightly_settings.TaskSettings,
    sentence: str,
    ended: rally_tasks.Ended | None = None,
) -> outcome.TaskOutcome:
    took_s, uuid = (ended.took_s, ended.uuid) if ended else (0.0, "")
    return outcome.TaskOutcome(
        task.name, storage.BROKEN, sentence, took_s, uuid
    )


def _with_refusal(
    task: results.Result, ended: rally_tasks.Ended
) -> results.Result:
    """Add the reason for which Rally refused a task.

    Rally keeps the reason in its database, but does not export it.
    """
    whole = task.get("status") == "finished"
    if whole or task.get("subtasks") or ended.cut_short or not ended.output:
        return task
    return {**task, "validation_result": {"etype": "", "msg": ended.output}}


def _message_chain(error: BaseException) -> str:
    """Return the message of an error and of the error before it.

    A sandbox that failed to come up may also fail to go down.
    """
    before = None if error.__suppress_context__ else error.__context__
    if isinstance(before, exceptions.ScaleError):
        return f"{_message_chain(before)} After that: {error}"
    return str(error)


def _compare(
    added: Sequence[storage.StoredRun],
    every: Sequence[storage.StoredRun],
    ask: comparison.Ask,
) -> dict[str, tuple[str, ...]]:
    """Compare runs with the previous runs.

    :returns: sentences, by the field of the outcome that they belong to
    """
    found: dict[str, tuple[str, ...]] = {}
    for one in added:
        if one.state == storage.BROKEN:
            continue
        compared = comparison.compare_run(one, every, ask)
        sentences = {
            "worse": [each.describe() for each in compared.outcome.worse],
            "suspected": [each.describe() for each in compared.suspected],
            "learning": compared.learning(),
            # For an invalid run, the state and the sentence are enough.
            "not_compared": compared.gaps() if one.counts else [],
            "beside_last": []
            if compared.outcome.compared
            else comparison.beside_last(one, every, ask),
        }
        where = f"{one.name}: " if len(added) > 1 else ""
        for field, own in sentences.items():
            lines = (f"{where}{each}" for each in own)
            found[field] = (*found.get(field, ()), *lines)
    return found

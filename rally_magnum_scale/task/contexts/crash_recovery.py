"""A hidden context that cleans up after runs that were killed."""

from __future__ import annotations

import datetime
import pathlib
import time
from collections.abc import Sequence

from rally.common import logging
from rally.task import context

from rally_magnum_scale import exceptions
from rally_magnum_scale import interruption
from rally_magnum_scale.bays import leftovers
from rally_magnum_scale.task.recovery import dead_runs
from rally_magnum_scale.task.recovery import lost_machines
from rally_magnum_scale.task.recovery import orphaned_workers
from rally_magnum_scale.task.recovery import run_markers

LOG = logging.getLogger(__name__)

_MOST_LOGGED = 20


@context.configure(
    name="leftovers", platform="openstack", order=2, hidden=True
)
class CrashRecovery(context.Context):
    """Write a run marker, and remove the leftovers of dead runs.

    A run is proven dead if it ran on this host, with this Rally database
    and this cloud, and all its processes are gone.  Other leftovers are
    only logged.  A removal that fails does not fail the task: the run
    marker stays, and the next start tries again.
    """

    CONFIG_SCHEMA = {"type": "object", "additionalProperties": False}

    def setup(self) -> None:
        """Write the marker of this run and clean up after dead runs.

        :raises Interrupted: when the run is interrupted meanwhile
        """
        orphaned_workers.watch()
        self._kept: run_markers.Kept | None = None
        self._cloud = dead_runs.Cloud(self.context)
        if not self._cloud.exists:
            return
        self._mark = run_markers.RunMarker(
            task=self.task["uuid"],
            workload=self.get_owner_id() or self.task["uuid"],
            process=run_markers.this_process(),
            database=run_markers.database(),
            cloud=self._cloud.address,
            started_at=time.time(),
        )
        try:
            where = run_markers.folder()
            self._kept = run_markers.write(where, self._mark)
        except (OSError, RuntimeError) as error:
            LOG.warning(
                f"Could not write the run marker ({error}). If this run is "
                "killed, later starts do not remove its leftovers. Set "
                f"{run_markers.FOLDER_VARIABLE} to a folder that can be "
                "written."
            )
            return
        self.context[lost_machines.KEY] = str(self._kept.path)
        self._clean_up(where)

    def cleanup(self) -> None:
        """Remove the marker, unless leftovers of this run remain."""
        orphaned_workers.unwatch()
        if self._kept is None:
            return
        try:
            with interruption.deferred():
                own = leftovers.of_owners(self._all_bays(), self._mark.owners)
        except exceptions.NotAllowed:
            own = []
        except Exception as error:
            why = _first_line(error)
            self._leave(f"Can't check whether this run left a bay: {why}.")
            return
        names = [each.name for each in own]
        unrecovered = lost_machines.Notes(self._kept.path).paths()
        if names or unrecovered:
            names += [f"{each.stem} (not recovered)" for each in unrecovered]
            self._leave(f"This run could not remove {', '.join(names)}.")
        else:
            self._kept.remove()

    def _leave(self, why: str) -> None:
        """Leave the marker of this run for the next start."""
        assert self._kept is not None
        self._kept.leave()
        LOG.error(
            f"{why} The run marker {self._kept.path} stays, so the next start "
            "tries again."
        )

    def _all_bays(self) -> list[leftovers.Leftover]:
        return [bay for each in self._cloud.leftovers() for bay in each.bays()]

    def _clean_up(self, where: pathlib.Path) -> None:
        found = [
            each
            for each in run_markers.read_all(where, LOG.warning)
            if each.mark != self._mark
        ]
        dead = []
        for each in found:
            state, why = run_markers.judge(
                each,
                self._mark.process,
                self._mark.cloud,
                same_database=each.mark.database == self._mark.database,
            )
            if state is run_markers.RunState.DEAD:
                dead.append(each)
            else:
                _log_run(each, state, why)
        if dead:
            self._remove(where, dead)
        self._log_unknown_bays([each.mark for each in found])

    def _remove(
        self, where: pathlib.Path, dead: Sequence[run_markers.Found]
    ) -> None:
        with run_markers.alone(where) as alone:
            if not alone:
                LOG.warning(
                    "Another task is already removing the leftovers of "
                    f"{len(dead)} dead run(s)."
                )
                return
            for each in dead:
                if each.path.exists():
                    self._remove_one(each)

    def _remove_one(self, found: run_markers.Found) -> None:
        """Remove the leftovers of one dead run, and then its marker.

        :raises Interrupted: when this run is interrupted meanwhile
        """
        mark = found.mark
        start = time.monotonic()
        LOG.warning(
            f"The run of task {mark.task} was killed or failed to clean up: "
            f"its process {mark.process.pid} on this host is gone. Removing "
            "its leftovers before this task begins."
        )
        try:
            failed = dead_runs.remove(self._cloud, found)
        except exceptions.Interrupted:
            raise
        except Exception as error:
            failed = [
                f"Could not remove all leftovers of task {mark.task}: "
                f"{_first_line(error)}."
            ]
        if not failed:
            found.path.unlink(missing_ok=True)
            LOG.warning(
                f"Nothing is left of task {mark.task} any more, after "
                f"{time.monotonic() - start:.0f} s."
            )
            return
        for sentence in failed:
            LOG.error(sentence)
        LOG.error(
            f"Leftovers of task {mark.task} remain; the next start tries "
            "again to remove them."
        )

    def _log_unknown_bays(
        self, known: Sequence[run_markers.RunMarker]
    ) -> None:
        """Log the bays whose run has no marker here."""
        try:
            bays = self._all_bays()
        except Exception as error:
            why = _first_line(error)
            LOG.info(f"Could not search for bays of unknown runs: {why}.")
            return
        owners = [
            uuid for mark in (*known, self._mark) for uuid in mark.owners
        ]
        own = set(leftovers.of_owners(bays, owners))
        unknown = [each for each in bays if each not in own]
        now = datetime.datetime.now(datetime.UTC)
        for each in unknown[:_MOST_LOGGED]:
            LOG.warning(
                f"The bay {each.name} (project {each.project or 'unknown'}, "
                f"{each.age(now)}) belongs to an unknown run, so it is "
                "not deleted. If nobody uses the bay, delete it with "
                f"'{each.command}'."
            )
        if more := unknown[_MOST_LOGGED:]:
            LOG.warning(f"There are {len(more)} more such bays.")


def _log_run(
    found: run_markers.Found, state: run_markers.RunState, why: str
) -> None:
    if state is run_markers.RunState.ALIVE:
        LOG.info(f"The run of task {found.mark.task} is active: {why}.")
        return
    minutes = max(0.0, time.time() - found.mark.started_at) / 60
    LOG.warning(
        f"The run of task {found.mark.task}, started {minutes:.0f} minutes "
        f"ago, may have left bays: {why}. None of them is removed. If it has "
        f"ended, delete {found.path}."
    )


def _first_line(error: Exception) -> str:
    """Return the first line of an error from any library."""
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__).rstrip(".")

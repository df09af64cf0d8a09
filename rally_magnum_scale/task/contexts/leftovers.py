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
from rally_magnum_scale.task.recovery import orphans
from rally_magnum_scale.task.recovery import run_markers

LOG = logging.getLogger(__name__)

MOST_TOLD = 20


@context.configure(
    name="leftovers", platform="openstack", order=2, hidden=True
)
class Leftovers(context.Context):
    """Mark this run, and remove what runs that are proven dead left.

    A run is proven dead when this host, this Rally database and this cloud
    were its own and all its processes are gone.  Of anything else this only
    tells.  A removal that fails never fails the task: the mark of the dead
    run stays, and the next start tries again.
    """

    CONFIG_SCHEMA = {"type": "object", "additionalProperties": False}

    def setup(self) -> None:
        """Write the mark of this run and look for those of dead ones.

        :raises Interrupted: when the run is asked to stop meanwhile
        """
        orphans.watch()
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
                f"Could not write a mark of this run ({error}): if it is "
                "killed, no later start removes what it leaves; set "
                f"{run_markers.FOLDER_VARIABLE} to a folder that can be "
                "written."
            )
            return
        self.context[lost_machines.KEY] = str(self._kept.path)
        self._look_around(where)

    def cleanup(self) -> None:
        """Remove the mark, unless something of this run is still there."""
        orphans.unwatch()
        if self._kept is None:
            return
        try:
            with interruption.deferred():
                own = leftovers.of_owners(self._all_bays(), self._mark.owners)
        except exceptions.NotAllowed:
            own = []
        except Exception as error:
            why = _words(error)
            self._leave(f"Can't see whether this run left a bay: {why}.")
            return
        names = [each.name for each in own]
        unmended = lost_machines.Notes(self._kept.path).paths()
        if names or unmended:
            names += [f"{each.stem} (not mended)" for each in unmended]
            self._leave(f"This run leaves {', '.join(names)} behind.")
        else:
            self._kept.remove()

    def _leave(self, why: str) -> None:
        """Leave the mark of this run for the next start."""
        assert self._kept is not None
        self._kept.leave()
        LOG.error(
            f"{why} The next start looks again, as {self._kept.path} tells it."
        )

    def _all_bays(self) -> list[leftovers.Leftover]:
        return [bay for each in self._cloud.leftovers() for bay in each.bays()]

    def _look_around(self, where: pathlib.Path) -> None:
        found = [
            each
            for each in run_markers.read_all(where, LOG.warning)
            if each.mark != self._mark
        ]
        dead = []
        for each in found:
            fate, why = run_markers.judge(each, self._mark)
            if fate is run_markers.Liveness.DEAD:
                dead.append(each)
            else:
                _tell(each, fate, why)
        if dead:
            self._remove(where, dead)
        self._tell_of_nobodys([each.mark for each in found])

    def _remove(
        self, where: pathlib.Path, dead: Sequence[run_markers.Found]
    ) -> None:
        with run_markers.alone(where) as alone:
            if not alone:
                LOG.warning(
                    f"Another start is removing what {len(dead)} dead run(s) "
                    "left; this one leaves it to that."
                )
                return
            for each in dead:
                if each.path.exists():
                    self._remove_one(each)

    def _remove_one(self, found: run_markers.Found) -> None:
        """Remove what one dead run left, and then its mark.

        :raises Interrupted: when this run is asked to stop meanwhile
        """
        mark = found.mark
        start = time.monotonic()
        LOG.warning(
            f"The run of task {mark.task} was killed or failed to clean up: "
            f"its process {mark.process.pid} on this host is gone. What it "
            "left is removed before this task begins."
        )
        try:
            failed = dead_runs.remove(self._cloud, found)
        except exceptions.Interrupted:
            raise
        except Exception as error:
            failed = [
                f"Could not remove all that task {mark.task} left: "
                f"{_words(error)}."
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
            f"Something is left of task {mark.task}: the next start tries "
            "again to remove it."
        )

    def _tell_of_nobodys(self, known: Sequence[run_markers.RunMarker]) -> None:
        """Tell of bays that were made by no run that has a mark here."""
        try:
            bays = self._all_bays()
        except Exception as error:
            why = _words(error)
            LOG.info(f"Could not look for bays of unknown runs: {why}.")
            return
        owners = [
            uuid for mark in (*known, self._mark) for uuid in mark.owners
        ]
        own = set(leftovers.of_owners(bays, owners))
        strange = [each for each in bays if each not in own]
        now = datetime.datetime.now(datetime.UTC)
        for each in strange[:MOST_TOLD]:
            LOG.warning(
                f"The bay {each.name} (project {each.project or 'unknown'}, "
                f"{each.age(now)}) is of a run that is not known here and is "
                "left alone; if nobody uses it, remove it with "
                f"'{each.command}'."
            )
        if more := strange[MOST_TOLD:]:
            LOG.warning(f"There are {len(more)} more such bays.")


def _tell(
    found: run_markers.Found, fate: run_markers.Liveness, why: str
) -> None:
    if fate is run_markers.Liveness.ALIVE:
        LOG.info(f"Another run goes on, of task {found.mark.task}: {why}.")
        return
    minutes = run_markers.age(found.mark) / 60
    LOG.warning(
        f"The run of task {found.mark.task}, begun {minutes:.0f} minutes ago, "
        f"may have left bays: {why}. Nothing of it is removed; if it has "
        f"ended, delete {found.path}."
    )


def _words(error: Exception) -> str:
    """Return the first line of an error that may be anybody's."""
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__).rstrip(".")

"""What the run markers of this machine show of runs."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence

from rally import exceptions as rally_exceptions
from rally.common import objects

from rally_magnum_scale import exceptions
from rally_magnum_scale.bays import leftovers
from rally_magnum_scale.task.recovery import run_markers


class Runs:
    """The runs that have a marker on this machine.

    :param cloud: address of Keystone and name of the region
    """

    def __init__(self, found: Sequence[run_markers.Found], cloud: str) -> None:
        self._found = found
        self._here = run_markers.this_process()
        self._cloud = cloud

    def state(self, run: str) -> tuple[run_markers.RunState, str]:
        """Return whether a run is alive or has ended, and why.

        :param run: first 8 characters of its id
        """
        known = [self._judge(each) for each in self._of(run)]
        for state in run_markers.RunState.ALIVE, run_markers.RunState.UNKNOWN:
            for each in known:
                if each[0] is state:
                    return each
        if known:
            return known[0]
        return run_markers.RunState.UNKNOWN, "it has no marker on this machine"

    def task(self, run: str) -> str:
        """Return the task of a run; empty when it is unknown."""
        return next((each.mark.task for each in self._of(run)), "")

    def of_task(self, task: str) -> set[str]:
        """Return the runs of a task.

        Rally's database knows them, or else their markers.

        :raises InvalidInput: when neither knows the task
        """
        owners = {
            owner
            for each in self._found
            if each.mark.task == task
            for owner in each.mark.owners
        } | _workloads(task)
        if not owners:
            raise exceptions.InvalidInput(
                f"Neither Rally's database nor a run marker of this machine "
                f"knows the task {task}. Choose what it left with --run."
            )
        return {leftovers.owner_part(owner) for owner in (*owners, task)}

    def _of(self, run: str) -> list[run_markers.Found]:
        return [
            each
            for each in self._found
            if run in map(leftovers.owner_part, each.mark.owners)
        ]

    def _judge(
        self, found: run_markers.Found
    ) -> tuple[run_markers.RunState, str]:
        # A process that is gone is gone, whatever database it wrote to.
        return run_markers.judge(
            found, self._here, self._cloud, same_database=True
        )


def read(cloud: str, log: Callable[[str], None]) -> Runs:
    """Read the run markers of this machine.

    :param cloud: as in :class:`Runs`
    :param log: receives a sentence for each marker that can't be read
    :raises InvalidInput: when there can be no folder of markers
    """
    try:
        folder = run_markers.folder()
    except RuntimeError as error:
        raise exceptions.InvalidInput(
            f"Can't check which runs are alive: {error} Set "
            f"{run_markers.FOLDER_VARIABLE} to the folder that the runs use."
        ) from error
    return Runs(run_markers.read_all(folder, log), cloud)


def _workloads(task: str) -> set[str]:
    try:
        known = objects.Task.get(task, detailed=True)
    except rally_exceptions.DBRecordNotFound:
        return set()
    return {
        workload["uuid"]
        for subtask in known["subtasks"]
        for workload in subtask["workloads"]
    }

"""Find and remove what crashed runs left in Magnum.

An administrator can list and delete the bays of all projects without the
passwords of their owners.
"""

from __future__ import annotations

import contextlib
import datetime
import re
import time
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Sequence
from concurrent import futures
from dataclasses import dataclass
from typing import Any

from magnumclient import exceptions as magnum_exceptions

from rally_magnum_scale import exceptions
from rally_magnum_scale import interruption
from rally_magnum_scale.bays import lifecycle
from rally_magnum_scale.bays import listing
from rally_magnum_scale.bays import magnum_errors

AT_ONCE = 4

# Magnum may briefly show the status of an earlier, failed delete.
ATTEMPTS = 2

# A bay that was requested just before the crash appears late.
ROUNDS = 3

# The forms of the names that this package gives.  The first part comes from
# the id of the run that owns the object, which is hexadecimal.
_NAME = re.compile(r"rms-([0-9a-f]{8})-[a-z0-9]{8}")
_NAME_OF_KEPT = re.compile(r"kept-([0-9a-f]{8})-[a-z0-9]{8}")


@dataclass(frozen=True)
class Leftover:
    """A bay or a cluster template that a run created.

    :param owner: beginning of the id of the run that created it
    :param project: id of its project; empty when Magnum does not show it
    :param created_at: creation time as Magnum writes it
    """

    uuid: str
    name: str
    owner: str
    project: str
    created_at: str
    nodes: int = 0

    @property
    def command(self) -> str:
        """The command that deletes the bay by hand."""
        return f"openstack coe cluster delete {self.uuid}"

    def age(self, now: datetime.datetime) -> str:
        """Return the age in words.

        :param now: with a time zone
        """
        made = time_of(self.created_at)
        if made is None:
            return "of unknown age"
        minutes = max(0, int((now - made).total_seconds() // 60))
        if minutes < 120:
            return f"{minutes} minutes old"
        return f"{minutes // 60} hours old"


def time_of(text: str | None) -> datetime.datetime | None:
    """Return a time that a service shows; None if it shows none.

    :param text: in ISO 8601, in UTC if it has no time zone
    """
    try:
        moment = datetime.datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)


def owner_part(uuid: str) -> str:
    """Return the part of the owner's id that is in an object's name."""
    return uuid.replace("-", "")[:8]


def of_owners(
    found: Sequence[Leftover], uuids: Collection[str]
) -> list[Leftover]:
    """Return the leftovers of the runs with these ids."""
    owners = {owner_part(uuid) for uuid in uuids}
    return [each for each in found if each.owner in owners]


class Leftovers:
    """Finds and removes what crashed runs left in Magnum.

    :param magnum: from :func:`lifecycle.connect`; as an administrator for
        all projects, otherwise for the user's own project
    :param log: callback for progress lines
    :param clock: monotonic seconds
    :param sleep: sleeps, and raises if the run is interrupted
    """

    def __init__(
        self,
        magnum: Any,
        log: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = interruption.sleep,
    ) -> None:
        self._magnum = magnum
        self._log = log
        self._clock = clock
        self._sleep = sleep

    def bays(self) -> list[Leftover]:
        """Return all bays that runs of this package created.

        Bays that a run keeps on purpose are in :meth:`kept_bays`.

        :raises BayError: when Magnum refuses, with the missing policy rules
        """
        return _made(self.all_bays(), _NAME)

    def kept_bays(self) -> list[Leftover]:
        """Return all bays that ``keep_bay`` keeps.

        :raises BayError: when Magnum refuses, with the missing policy rules
        """
        return _made(self.all_bays(), _NAME_OF_KEPT)

    def all_bays(self) -> list[Any]:
        """Return all bays that Magnum shows, whoever created them.

        :raises BayError: when Magnum refuses, with the missing policy rules
        """
        shown = self._list(self._magnum.clusters, "cluster")
        # Magnum may list a deleted bay until its next periodic check.
        return [bay for bay in shown if bay.status != "DELETE_COMPLETE"]

    def templates(self) -> list[Leftover]:
        """Return all cluster templates that runs of this package created.

        :raises BayError: when Magnum refuses, with the missing policy rules
        """
        shown = self._list(self._magnum.cluster_templates, "clustertemplate")
        return _made(shown, _NAME)

    def remove_of(self, uuids: Collection[str]) -> list[str]:
        """Remove the bays and then the templates of crashed runs.

        :param uuids: ids of the runs, which begin the names of their objects
        :returns: a sentence for each object that could not be removed
        :raises Interrupted: when this run is interrupted
        """
        try:
            failed = self._remove_bays(uuids)
            return failed or self._remove_templates(uuids)
        except exceptions.BayError as error:
            return [str(error)]

    def _remove_bays(self, uuids: Collection[str]) -> list[str]:
        for _ in range(ROUNDS):
            left = of_owners(self.bays(), uuids)
            if failed := self._remove_at_once(left):
                return failed
            if not left:
                return []
        return [
            f"After {ROUNDS} attempts there are still bays of a dead run "
            f"({_names(left)}); check 'openstack coe cluster list' and "
            "delete them by hand."
        ]

    def _remove_at_once(self, left: Sequence[Leftover]) -> list[str]:
        """Remove bays in parallel; an interruption hides their errors."""
        with futures.ThreadPoolExecutor(AT_ONCE) as pool:
            ended = list(pool.map(self._try_to_remove, left))
        interruption.check()
        return [sentence for sentence in ended if sentence]

    def _try_to_remove(self, bay: Leftover) -> str | None:
        start = self._clock()
        try:
            interruption.check()
            self._log(f"{bay.name}: deleting this bay of a dead run")
            self.remove_bay(bay)
        except exceptions.ScaleError as error:
            return str(error)
        self._log(f"{bay.name}: gone after {self._clock() - start:.0f} s")
        return None

    def remove_bay(self, bay: Leftover) -> None:
        """Remove a bay and wait until it is gone from Magnum.

        :raises BayDeleteFailed: at DELETE_FAILED, with Magnum's reason
        :raises DeadlineExceeded: when the bay is not gone in time
        :raises Interrupted: when this run is interrupted
        """
        bays = lifecycle.Bays(
            self._magnum,
            lambda line: self._log(f"{bay.name}: {line}"),
            self._clock,
            self._sleep,
        )
        for left in reversed(range(ATTEMPTS)):
            try:
                bays.delete(bay.uuid, bay.nodes)
            except exceptions.BayDeleteFailed:
                if not left:
                    raise
                self._sleep(lifecycle.POLL_INTERVAL_S)
            else:
                return

    def remove_template(self, template: Leftover) -> None:
        """Remove a cluster template; ignore one that is already gone.

        :raises BayError: when Magnum refuses
        """
        with (
            magnum_errors.translate_errors(
                f"delete the cluster template {template.name} "
                f"({template.uuid})"
            ),
            magnum_errors.ignore_not_found(),
        ):
            self._magnum.cluster_templates.delete(template.uuid)

    def _remove_templates(self, uuids: Collection[str]) -> list[str]:
        failed = []
        for each in of_owners(self.templates(), uuids):
            try:
                self.remove_template(each)
            except exceptions.BayError as error:
                failed.append(str(error))
            else:
                self._log(f"{each.name}: deleted this cluster template")
        return failed

    def _list(self, manager: Any, kind: str) -> list[Any]:
        with (
            magnum_errors.translate_errors(f"list the {kind}s"),
            _name_rules(kind),
        ):
            return listing.list_all(manager, self._sleep, detail=True)


def _made(shown: Sequence[Any], form: re.Pattern[str]) -> list[Leftover]:
    made = []
    for each in shown:
        if match := form.fullmatch(each.name or ""):
            made.append(
                Leftover(
                    uuid=each.uuid,
                    name=each.name,
                    owner=match[1],
                    project=getattr(each, "project_id", None) or "",
                    created_at=getattr(each, "created_at", None) or "",
                    nodes=getattr(each, "node_count", None) or 0,
                )
            )
    return made


@contextlib.contextmanager
def _name_rules(kind: str) -> Iterator[None]:
    try:
        yield
    except magnum_exceptions.Forbidden as error:
        raise exceptions.NotAllowed(
            f"Magnum does not let this user list the {kind}s of all projects "
            f"({magnum_errors.message_of(error)}): give its role the rules "
            f"{kind}:detail_all_projects, {kind}:get_one_all_projects and "
            f"{kind}:delete_all_projects."
        ) from error


def _names(left: Sequence[Leftover]) -> str:
    return ", ".join(each.name for each in left)

"""What a run created in a cloud, and how its name shows that."""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Callable

BAY = "bay"
TEMPLATE = "bay template"
KEYPAIR = "keypair"
USER = "user"
PROJECT = "project"
# In the order of the removal.
KINDS = (BAY, TEMPLATE, KEYPAIR, USER, PROJECT)

# The names that Rally's contexts generate.  RUN is the beginning of the id
# of the workload or the task, which is hexadecimal.
RALLY_PREFIX = "c_rally_"
_RALLY_NAME = re.compile(rf"{RALLY_PREFIX}([0-9a-f]{{8}})_[A-Za-z0-9]{{8}}")
RALLY_FORM = f"named {RALLY_PREFIX}RUN_…"


@dataclasses.dataclass(frozen=True)
class Finding:
    """An object that a run created.

    :param kind: one of :data:`KINDS`
    :param run: first 8 characters of the id of the run
    :param form: the form of its name, by which it was found
    :param remove: removes the object and waits until it is gone
    :param project: id of its project; empty when no service shows it
    :param created_at: None when no service shows it
    :param kept: whether the run kept it on purpose
    """

    kind: str
    name: str
    id: str
    run: str
    form: str
    remove: Callable[[], None] = dataclasses.field(repr=False, compare=False)
    project: str = ""
    created_at: datetime.datetime | None = None
    kept: bool = False


def run_of(name: str) -> str | None:
    """Return the run in a name that Rally's contexts generate.

    :returns: first 8 characters of its id; None for any other name
    """
    match = _RALLY_NAME.fullmatch(name)
    return match[1] if match else None

"""How the tests are shared out among processes."""

from __future__ import annotations

from typing import Any

import pytest
from xdist import scheduler

FUNCTIONAL = "tests/functional/"
# Their experiments are with real seconds, which a busy machine disturbs.
TIMED = ("tests/unit/workload/", "tests/unit/truth/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, then with what wants a quiet machine.

    The sandbox is still being built then, at a lower priority.
    """

    def turn(item: pytest.Item) -> int:
        if item.nodeid.startswith(FUNCTIONAL):
            return 0
        return 1 if item.nodeid.startswith(TIMED) else 2

    items.sort(key=turn)


class Shared(scheduler.LoadScopeScheduling):
    """Keeps together what shares fixtures: a file, and the one sandbox.

    Marks of groups would say the same, but xdist 3.8 does not see them with
    pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return "sandbox" if path.startswith(FUNCTIONAL) else path


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Shared:
    """Share the tests out so."""
    return Shared(config, log)

"""How the tests are shared out among processes."""

from __future__ import annotations

from typing import Any

import pytest
from xdist import scheduler


class Shared(scheduler.LoadScopeScheduling):
    """Keeps together what shares fixtures: a file, and the one sandbox.

    Marks of groups would say the same, but xdist 3.8 does not see them with
    pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return "sandbox" if path.startswith("tests/functional/") else path


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Shared:
    """Share the tests out so."""
    return Shared(config, log)

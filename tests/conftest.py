"""How the tests are shared out among processes."""

from __future__ import annotations

from pathlib import Path

import pytest

FUNCTIONAL = Path(__file__).parent / "functional"


# Before xdist reads the marks.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep together what shares fixtures: a file, and the one sandbox."""
    for item in items:
        shared = FUNCTIONAL in item.path.parents
        group = "sandbox" if shared else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))

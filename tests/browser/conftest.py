"""A real browser: Debian's chromium, driven by Playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright import sync_api

# As a container, and root in it, needs them.
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Start the browser once for all tests of a process."""
    program = shutil.which("chromium")
    assert program, (
        "These tests need a browser: apt-get install chromium "
        "fonts-dejavu-core (tools/run-tests does it as root)."
    )
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=program, args=FLAGS
        )
        yield started
        started.close()

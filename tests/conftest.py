"""How the tests are shared out among processes, and what each one costs."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from typing import Any

import hypothesis
import psutil
import pytest
from xdist import scheduler

# Unit tests whose experiments take real seconds, which others that compute
# would disturb: the others let them go first.
TIMED = ("tests/unit/in_bay/test_", "tests/unit/truth/")
YIELDING_NICENESS = 10
# What is begun first, since it takes longest; the rest fills the gaps.
FIRST = (
    *TIMED,
    "tests/browser/test_pages.py",
    "tests/functional/test_disturbed_loads.py",
    "tests/functional/test_in_bay.py",
    "tests/functional/test_sandbox.py",
    "tests/functional/test_bad_inputs.py",
    "tests/functional/test_contexts.py",
    "tests/functional/test_connections.py",
    "tests/functional/test_tasks.py",
    "tests/functional/test_demo.py",
    "tests/functional/test_bay_driver.py",
    "tests/functional/test_bay_by_hand.py",
    "tests/functional/test_node_changes.py",
    "tests/functional/test_leftovers.py",
)
# `make test-all` chooses it by --hypothesis-profile.
hypothesis.settings.register_profile("long", max_examples=10_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests into the order in which they are begun."""

    def turn(item: pytest.Item) -> int:
        found = (
            number
            for number, path in enumerate(FIRST)
            if item.nodeid.startswith(path)
        )
        return next(found, len(FIRST))

    items.sort(key=turn)


class Shared(scheduler.LoadScopeScheduling):
    """Keeps together what shares fixtures: the tests of a file.

    ``--dist loadfile`` would do the same, but it begins with the files that
    have the most tests.
    """

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.partition("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Shared:
    """Share the tests out so."""
    return Shared(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """Measure the set-up, and choose the priority of a unit test."""
    # Who is not root could not take it back.
    if os.geteuid() == 0 and item.nodeid.startswith("tests/unit/"):
        timed = item.nodeid.startswith(TIMED)
        niceness = 0 if timed else YIELDING_NICENESS
        os.setpriority(os.PRIO_PROCESS, 0, niceness)
    return (yield from _measured(item, "setup"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Measure the test itself."""
    return (yield from _measured(item, "call"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Measure the teardown."""
    return (yield from _measured(item, "teardown"))


def _measured(item: pytest.Item, phase: str) -> Iterator[None]:
    """Add a phase's CPU seconds to the report; its duration is there."""
    before = _cpu_s()
    try:
        return (yield)
    finally:
        item.user_properties += [
            (f"{phase}_{name}", round(used - before[name], 3))
            for name, used in _cpu_s().items()
        ]


def _cpu_s() -> dict[str, float]:
    """Read the CPU seconds used so far.

    :returns: ``cpu_s`` of this process and its ended children,
        ``machine_cpu_s`` of everything on the machine
    """
    own = 0.0
    for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        usage = resource.getrusage(whose)
        own += usage.ru_utime + usage.ru_stime
    machine = psutil.cpu_times()
    busy = machine.user + machine.nice + machine.system
    return {"cpu_s": own, "machine_cpu_s": busy}

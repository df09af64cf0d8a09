"""A Magnum whose answers are spoilt: what passes fails no iteration."""

import collections
from collections.abc import Iterator
from typing import Any

import pytest

from tests.functional import conftest
from tests.functional import test_tasks

PASSING = (
    ("503", "--every", "5"),
    ("429", "--every", "7", "--retry-after", "1"),
    ("502", "--html", "--every", "9"),
    ("truncated", "--every", "11"),
    ("reset", "--every", "13"),
    # Executed, but the client never learns of it.
    (*("reset", "--methods", "POST"), "--path", "/clusters$", "--applied"),
)


@pytest.fixture
def faulty(sandbox: conftest.Sandbox) -> Iterator[conftest.Sandbox]:
    """A sandbox whose faults are cleared, and that has no bay afterwards."""
    try:
        yield sandbox
    finally:
        done = sandbox.command("fault", "clear")
    assert done.returncode == 0, done.stderr
    assert test_tasks.bays(sandbox) == []


def inject(sandbox: conftest.Sandbox, *arguments: str) -> None:
    done = sandbox.command("fault", *arguments)
    assert done.returncode == 0, done.stderr


def test_errors_of_magnum_that_pass_fail_no_iteration(
    faulty: conftest.Sandbox,
) -> None:
    for fault in PASSING[:-1]:
        inject(faulty, "magnum", *fault)
    inject(faulty, "magnum", *PASSING[-1], "--times", "1")
    # Rally's validators and its context `users` need Keystone, before Magnum
    # does, which fails a bay at one 503.
    inject(faulty, "keystone", "503", "--every", "3", "--times", "6")
    ran = test_tasks.start(
        faulty,
        "create-and-delete.json",
        {"nodes": 2, "times": 2, "concurrency": 2, "max_api_errors": 999},
    )
    assert ran.status == 0, ran.errors
    assert ran.sla["api_errors"]["success"]
    counted: collections.Counter[Any] = collections.Counter()
    for run in ran.runs():
        assert run.bay is not None
        assert run.bay.create_s is not None
        assert run.bay.delete_s is not None
        counted.update(run.bay.openstack_errors or {})
    assert {"Magnum: 503", "Magnum: connection broke off"} <= set(counted)
    table = test_tasks.export(faulty, ran.uuid, "magnum-scale-table")
    assert "Magnum: 503" in table


def test_a_bay_that_fails_gives_the_class_and_the_remedy(
    faulty: conftest.Sandbox,
) -> None:
    words = "JSON body size (1152921 bytes) exceeds maximum allowed size"
    inject(faulty, "bay", "--create-failed", words)
    ran = test_tasks.start(faulty, "create-and-delete.json", {"nodes": 2})
    assert ran.status != 0
    assert words in ran.errors[0]
    assert "max_json_body_size" in ran.errors[0]
    (run,) = ran.runs()
    assert run.bay is not None
    assert run.bay.failure == "heat_request_size"

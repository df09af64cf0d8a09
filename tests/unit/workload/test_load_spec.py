"""What a specification refuses, and its default deadlines."""

import pytest

from rally_magnum_scale.workload import load_spec
from tests.unit.workload.rendered import every
from tests.unit.workload.rendered import job_of
from tests.unit.workload.rendered import spec


@pytest.mark.parametrize("secret", ["hunter2", '["hunter2"]', '{"a": 1}', 7])
def test_the_error_for_a_pull_secret_does_not_contain_it(secret):
    with pytest.raises(ValueError, match="image_pull_secret: must") as caught:
        spec(image_pull_secret=secret)
    assert "hunter2" not in str(caught.value)


def test_default_deadlines_grow_with_the_pods():
    small, large = spec(workers=1), spec(workers=2000)
    assert large.connect_s > small.connect_s
    assert large.start_s(2000) > small.start_s(1)
    assert large.pull_s(1000) > small.pull_s(1)
    deadlines = load_spec.Deadlines(start_s=1, pull_s=2, connect_s=3)
    given = spec(deadlines=deadlines)
    assert (given.start_s(9), given.pull_s(9), given.connect_s) == (1, 2, 3)
    assert job_of(every(given)).connect_deadline_s == 3


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("targets", 0),
        ("workers", 1.5),
        ("connections_per_worker", True),
        ("timeout_s", 0),
        ("target_processes", 0),
        ("arrivals", "bursts"),
        ("image_pull_policy", "Sometimes"),
        ("locust_image", ""),
        ("processes_per_worker", 0),
        ("spread", "maybe"),
        ("target_address", "node"),
    ],
)
def test_an_invalid_argument_is_named(key, value):
    with pytest.raises(ValueError, match=key):
        spec(**{key: value})


@pytest.mark.parametrize(
    "key", ["start_s", "pull_s", "connect_s", "update_s", "recover_s"]
)
def test_an_invalid_deadline_is_named(key):
    with pytest.raises(ValueError, match=f"deadlines.{key}: must be above 0"):
        load_spec.Deadlines(**{key: 0})


@pytest.mark.parametrize(
    ("workers", "each", "words"),
    [
        (2001, 1, "workers: 2001 .* supports 2000; use at most 2000"),
        (700, 3, "workers: 700 pods of 3 .* 2100 .* 2000; use at most 666"),
        (1, 2001, "processes_per_worker: 1 pods .* 2000; use at most 2000"),
    ],
)
def test_more_workers_than_a_master_supports_are_refused(workers, each, words):
    limits = {"processes_per_worker": each, "connections_per_worker": 4000}
    with pytest.raises(ValueError, match=words):
        spec(workers=workers, **limits)
    assert spec(workers=2000).worker_processes == 2000
    assert spec(workers=666, processes_per_worker=3).workers == 666


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"processes_per_worker": 65}, "64 are too few for 65 processes"),
        (
            {"connections_per_worker": 2, "targets": 5},
            "4 connections of all workers are too few for 5 targets",
        ),
    ],
)
def test_too_few_connections_are_named(changes, words):
    with pytest.raises(ValueError, match=f"connections_per_worker: {words}"):
        spec(target_address="pod", **changes)

import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale.kubernetes import logs
from tests.unit.kubernetes import fake_api

LOG = "/api/v1/namespaces/ns/pods/master/log"
STATUS = "/api/v1/namespaces/ns/pods/master/status"


def stamped(number):
    return f"2026-01-01T00:00:{number:02}.000000000Z line {number}"


def phase(name):
    return {"status": {"phase": name}}


def read(script):
    with fake_api.serve(script) as (fake, cluster):
        found = [
            line
            for line in logs.follow(cluster, "ns", "master", "locust")
            if line is not None
        ]
    return found, fake


def test_a_follow_that_breaks_loses_nothing_and_repeats_nothing():
    every = [stamped(n) for n in range(6)]
    script = {
        STATUS: [phase("Running"), phase("Running"), phase("Succeeded")],
        LOG: [every[:2], every[:4], [*every, "END"]],
    }
    found, fake = read(script)
    assert found == [f"line {n}" for n in range(6)]
    assert len([path for path, _ in fake.queries if path == LOG]) == 3


def test_a_line_cut_in_the_middle_is_read_whole_the_next_time():
    script = {
        STATUS: [phase("Running"), phase("Succeeded")],
        LOG: [
            [stamped(1), "2026-01-01T00:00:02.000000000Z li~"],
            [stamped(1), stamped(2), "END"],
        ],
    }
    assert read(script)[0] == ["line 1", "line 2"]


def test_a_log_of_a_pod_that_ended_is_read_to_its_end():
    script = {
        STATUS: [phase("Succeeded")],
        LOG: [[stamped(1), stamped(2), "END"]],
    }
    assert read(script)[0] == ["line 1", "line 2"]


def test_a_log_that_can_not_be_read_ends_in_one_sentence(monkeypatch):
    monkeypatch.setattr(logs, "MAX_ERRORS", 1)
    with pytest.raises(exceptions.KubernetesError, match="could not be read"):
        read({STATUS: [phase("Running")], LOG: [500]})

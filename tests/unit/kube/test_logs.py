import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale.kube import logs
from tests.unit.kube import fake_api

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


def test_a_log_that_breaks_off_is_resumed_without_loss_or_repetition():
    every = [stamped(n) for n in range(6)]
    script = {
        STATUS: [phase("Running"), phase("Running"), phase("Succeeded")],
        LOG: [every[:2], every[:4], [*every, "END"]],
    }
    found, fake = read(script)
    assert found == [f"line {n}" for n in range(6)]
    assert len([path for path, _ in fake.queries if path == LOG]) == 3


def test_a_line_cut_in_the_middle_is_read_again_completely():
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
    with pytest.raises(
        exceptions.KubernetesError,
        match=r"could not be read 2 times in a row: 500 [^\n{]*\.$",
    ):
        read({STATUS: [phase("Running")], LOG: [500]})


def test_lines_with_the_same_time_stamp_are_distinguished():
    same = "2026-01-01T00:00:01.000000000Z "
    lines = [f"{same}line {number}" for number in range(4)]
    script = {
        STATUS: [phase("Running"), phase("Succeeded")],
        LOG: [lines[:2], [*lines, "END"]],
    }
    assert read(script)[0] == [f"line {number}" for number in range(4)]


def test_a_log_is_read_again_from_the_second_of_its_last_line():
    script = {
        STATUS: [phase("Running"), phase("Succeeded")],
        LOG: [
            ["2026-01-01T00:00:01.987654321+01:00 one"],
            ["2026-01-01T00:00:02.000000000+01:00 two", "END"],
        ],
    }
    found, fake = read(script)
    assert found == ["one", "two"]
    queries = [query for path, query in fake.queries if path == LOG]
    assert "sinceTime" not in queries[0]
    assert queries[1]["sinceTime"] == "2026-01-01T00:00:01+01:00"


def test_a_pod_that_is_gone_has_ended():
    script = {STATUS: [phase("Running"), 404], LOG: [[stamped(1)], 404]}
    assert read(script)[0] == ["line 1"]


def test_cuts_without_an_error_of_the_api_are_not_counted(monkeypatch):
    monkeypatch.setattr(logs, "MAX_ERRORS", 1)
    cut: list[list[str]] = [[], [], [], [], []]
    script = {
        STATUS: [*[phase("Running")] * 5, phase("Succeeded")],
        LOG: [*cut, [stamped(1), "END"]],
    }
    assert read(script)[0] == ["line 1"]

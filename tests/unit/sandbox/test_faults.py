"""The file with the faults, and which requests they hit."""

import concurrent.futures
import json

import pytest

from rally_magnum_sandbox.servers import faults as sandbox_faults

Fault = sandbox_faults.Fault


@pytest.fixture
def path(tmp_path):
    return tmp_path / "faults.json"


@pytest.fixture
def faults(path):
    return sandbox_faults.Faults(path)


def test_no_file_means_no_faults(faults, path):
    assert faults.all() == []
    assert faults.hit("magnum", "GET", "/") is None
    assert faults.clear() == 0
    assert list(path.parent.iterdir()) == []


def test_faults_survive_in_one_private_file(faults, path):
    added = Fault("magnum", "503", every=2, methods=("GET",), path="^/v1")
    faults.add(added)
    assert sandbox_faults.Faults(path).all() == [added]
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(json.loads(path.read_text())["faults"]) == 1


def test_a_fault_of_another_process_is_seen(faults, path):
    assert faults.hit("magnum", "GET", "/") is None
    other = sandbox_faults.Faults(path)
    other.add(Fault("magnum", "503", times=1))
    assert faults.hit("magnum", "GET", "/").hits == 1
    assert other.all()[0].hits == 1
    assert other.hit("magnum", "GET", "/") is None
    assert other.clear() == 1
    other.add(Fault("magnum", "500"))
    assert faults.hit("magnum", "GET", "/").kind == "500"


def test_the_file_is_not_read_again_before_it_changes(
    faults, path, monkeypatch
):
    faults.add(Fault("keystone", "503"))
    assert faults.hit("magnum", "GET", "/") is None
    monkeypatch.setattr(faults, "all", lambda: pytest.fail("it was read"))
    assert faults.hit("magnum", "GET", "/") is None


def test_a_fault_heals_by_itself(path):
    now_s = [1000.0]
    faults = sandbox_faults.Faults(path, clock=lambda: now_s[0])
    faults.add(Fault("magnum", "503", until_s=1010.0))
    assert faults.hit("magnum", "GET", "/")
    now_s[0] = 1009.9
    assert faults.hit("magnum", "GET", "/")
    now_s[0] = 1010.0
    assert faults.hit("magnum", "GET", "/") is None
    (left,) = faults.all()
    assert (left.hits, left.requests) == (2, 2)


def test_a_fault_ends_after_its_last_time(faults):
    faults.add(Fault("magnum", "503", every=2, times=2))
    found = [bool(faults.hit("magnum", "GET", "/")) for _ in range(8)]
    assert found == [False, True, False, True, False, False, False, False]


def test_a_request_gets_one_fault_and_the_next_gets_the_other(faults):
    faults.add(Fault("magnum", "503", times=1))
    faults.add(Fault("magnum", "502", times=1))
    kinds = [faults.hit("magnum", "GET", "/").kind for _ in range(2)]
    assert kinds == ["503", "502"]


def test_operations_on_bays_do_not_mix(faults):
    faults.add(
        Fault("bay", "delete-failed", times=1, methods=("DELETE",), reason="x")
    )
    assert faults.hit(sandbox_faults.BAY, sandbox_faults.CREATE) is None
    assert faults.hit(sandbox_faults.BAY, sandbox_faults.DELETE).reason == "x"
    assert faults.hit(sandbox_faults.BAY, sandbox_faults.DELETE) is None


def test_no_request_is_lost_when_many_are_served_at_once(faults, path):
    faults.add(Fault("magnum", "503", every=4))
    servers = [sandbox_faults.Faults(path) for _ in range(8)]

    def send(server):
        return [server.hit("magnum", "GET", "/") for _ in range(10)]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = [hit for hits in pool.map(send, servers) for hit in hits]
    (left,) = faults.all()
    assert (left.hits, left.requests) == (20, 80)
    assert sum(hit is not None for hit in found) == 20


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (
            Fault("magnum", "503", every=5, requests=12, hits=2),
            "magnum 503 --every=5 (hit 2 of 12 requests)",
        ),
        (
            Fault("keystone", "429", retry_after_s=0, until_s=107.2),
            "keystone 429 --retry-after=0 (ends in 7 s, hit 0 of 0 requests)",
        ),
        (
            Fault("stub", "late", delay_s=2.5, until_s=99.0, applied=True),
            "stub late --seconds=2.5 --applied (ended, hit 0 of 0 requests)",
        ),
        (
            Fault("magnum", "502", html=True, methods=("GET", "POST")),
            "magnum 502 --methods=GET,POST --html (hit 0 of 0 requests)",
        ),
        (
            Fault(
                *("bay", "create-failed"),
                times=1,
                methods=("CREATE",),
                reason="no quota",
            ),
            "bay '--create-failed=no quota' --times=1 (hit 0 of 0 operations)",
        ),
    ],
)
def test_a_fault_is_described_by_its_command(fault, text):
    assert fault.describe(100.0) == text

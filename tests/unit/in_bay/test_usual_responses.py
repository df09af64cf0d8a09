"""Responses counted by the version of the target."""

import collections
import json
import socket
import threading
import time

import pytest

from rally_magnum_scale.in_bay import http_responses
from rally_magnum_scale.in_bay.job import Job
from rally_magnum_scale.in_bay.stats import windows
from rally_magnum_scale.in_bay.stats.steps import Step
from rally_magnum_scale.in_bay.usual_responses import Versions
from tests.unit import loads
from tests.unit.in_bay.engine_runs import run
from tests.unit.in_bay.engine_runs import side_by_side

HEADER = "X-Rms-Version"


def whole(connection, head, body):
    connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)


def in_pieces(connection, head, body):
    data = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for piece in (data[:20], data[20:-1], data[-1:]):
        connection.sendall(piece)
        time.sleep(0.001)


def chunked(connection, head, body):
    chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    connection.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk)


def after_an_interim_one(connection, head, body):
    early = b"HTTP/1.1 103 Early\r\nLink: a\r\n\r\n"
    whole(connection, early + head, body)


def closing(connection, head, body):
    whole(connection, head + b"Connection: close\r\n", body)


class Target:
    """Sends its version with each response, and counts them.

    :param version_of: a number of a request to the version that answers it
    :param send: gets connection, head without its end, and body
    :param is_wrong: which requests get another status
    :param dates: how many dates the answers have, in turn
    :param body_of: version to body
    """

    def __init__(
        self,
        version_of,
        *,
        send=whole,
        is_wrong=lambda number: False,
        dates=1,
        body_of=lambda version: b"ok\n",
    ):
        self.sent = collections.Counter()
        self._lock = threading.Lock()
        self._version_of = version_of
        self._send = send
        self._is_wrong = is_wrong
        self._dates = dates
        self._body_of = body_of

    def __call__(self, connection, number):
        version = self._version_of(number)
        is_wrong = self._is_wrong(number)
        head = b"HTTP/1.1 %s\r\nDate: %02d\r\n" % (
            b"503 No" if is_wrong else b"200 OK",
            number // 5 % self._dates,
        )
        if version:
            head += b"x-rms-version: %s\r\n" % version.encode()
        if not is_wrong:
            with self._lock:
                self.sent[version] += 1
        self._send(connection, head, self._body_of(version))


def rolling(number):
    """Answer by the old version, by both in turn, and by the new one."""
    if number <= 60:
        return "1"
    return "2" if number > 400 or number % 3 else "1"


def counted(server, *steps, **options):
    """Run; check each window, and return the sum of all, and them."""
    options.setdefault("version_header", HEADER)
    outcome, reported = run(server.url, *steps, **options)
    for one in reported:
        assert sum(one.versions.values()) == one.requests
        assert 0 not in one.versions.values()
    total = windows.add_counts(one.versions for one in reported)
    assert sum(total.values()) == outcome.requests
    return total, outcome, reported


@pytest.mark.parametrize(
    "details",
    [
        {},
        {"dates": 7},
        {"send": in_pieces},
        {"send": chunked},
        {"send": after_an_interim_one},
        {"send": closing},
        {"body_of": lambda version: b"x" * (int(version) * 9)},
        {"is_wrong": lambda number: number % 7 == 0},
    ],
    ids=[
        "alike",
        "dates",
        "in_pieces",
        "chunked",
        "interim",
        "closing",
        "lengths",
        "wrong",
    ],
)
def test_each_response_is_counted_for_its_version(serve, details):
    def ask(keep_alive):
        target = Target(rolling, **details)
        # The new version has more in the first second, so both were usual.
        loops = Step(300, 1), Step(None, 1)
        return target, *counted(serve(target), *loops, keep_alive=keep_alive)

    for one in side_by_side(ask, [(True,), (False,)]).values():
        target, total, outcome, _ = one.result()
        assert total == dict(target.sent)
        assert min(total.values()) > 100
        # A busy machine may be late when the closed loop begins.
        assert set(outcome.failures) - {"unsent"} == (
            {"bad_status"} if "is_wrong" in details else set()
        )


def test_a_response_without_a_version_has_an_empty_version(serve):
    target = Target(lambda number: "" if number % 4 else "2")
    total, *_ = counted(serve(target), Step(200, 1))
    assert total == {"": 150, "2": 50} == dict(target.sent)


def test_responses_after_the_plan_are_counted_by_version(serve):
    def stalls(number):
        if number == 1:
            time.sleep(1.2)
        return "1" if number <= 60 else "2"

    target = Target(stalls)
    total, _, reported = counted(serve(target), Step(100, 1), connections=1)
    assert total == {"1": 60, "2": 40}
    stop = [one for one in reported if one.phase == "stop"]
    assert windows.add_counts(one.versions for one in stop) == total


def test_responses_of_the_usual_version_are_not_parsed(serve, monkeypatch):
    read = collections.Counter()
    read_head = http_responses.read_head

    def counting(text):
        read[b"version: 2" in text] += 1
        return read_head(text)

    monkeypatch.setattr(http_responses, "read_head", counting)
    target = Target(lambda number: "1" if number <= 150 else "2")
    total, _, reported = counted(serve(target), Step(200, 4))
    assert total == {"1": 150, "2": 650}
    # Read until a second is over in which most answers were of it.
    new = [one.versions.get("2", 0) for one in reported]
    most = (n > one.requests / 2 for n, one in zip(new, reported, strict=True))
    until = sum(new[: list(most).index(True) + 1])
    assert until <= read[True] < until + 50
    assert read[False] < 50


def test_versions_are_not_counted_without_a_header(serve):
    target = Target(rolling)
    outcome, reported = run(serve(target).url, Step(300, 1))
    assert outcome.requests == sum(target.sent.values()) == 300
    assert [one.versions for one in reported] == [{}] * len(reported)


def test_the_version_header_survives_json():
    job = loads.job("http://x/", Step(1, 1))
    assert job.version_header == ""
    data = json.loads(json.dumps({**job.to_json(), "version_header": HEADER}))
    assert Job.from_json(data).version_header == HEADER


@pytest.mark.parametrize(
    ("line", "version"),
    [
        (b"X-Rms-Version: 1", "1"),
        (b"x-rms-VERSION:\tv2-Beta \t", "v2-Beta"),
        (b"X-Rms-Version:", ""),
        (b"X-Rms-Versions: 1", ""),
        (b"A: X-Rms-Version: 1", ""),
        (b"X-Rms-Version: \xe9", "é"),
    ],
)
def test_the_version_is_read_from_the_header(line, version):
    versions = Versions(HEADER)
    head = http_responses.read_head(
        b"HTTP/1.1 200 OK\r\n" + line + b"\r\nB: 2\r\n"
    )
    assert versions.note(head)
    assert versions.take(3) == {version: 3}


def note(versions, *versions_seen):
    return [
        versions.note(
            http_responses.read_head(
                b"HTTP/1.1 200 OK\r\nX-Rms-Version: %s\r\n" % one.encode()
            )
        )
        for one in versions_seen
    ]


def test_only_responses_of_the_usual_version_are_learnt():
    versions = Versions(HEADER)
    assert note(versions, "1", "2", "1", "3") == [True, False, True, False]
    assert versions.take(10) == {"1": 8, "2": 1, "3": 1}
    # Each second is counted by itself.
    assert versions.take(4) == {"1": 4}
    assert versions.take(0) == {}


def test_the_usual_version_has_the_most_responses():
    versions = Versions(HEADER)
    assert not versions.follow(versions.take(0))
    note(versions, "1", "2", "2", "3")
    counts = versions.take(5)
    assert counts == {"1": 2, "2": 2, "3": 1}
    # As many are not more.
    assert not versions.follow(counts)
    note(versions, "2", "2")
    assert versions.follow(versions.take(2))
    assert note(versions, "1", "2") == [False, True]
    assert not versions.follow(versions.take(2))
    assert note(versions, "2") == [True]

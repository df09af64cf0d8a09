import base64
import contextlib
import hashlib
import http.server
import re
import threading
import urllib.parse

import pytest

from rally_magnum_scale.kube import pod_cpusets
from tests.unit.kube import fake_api

MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
STATUS = "Name:\tcat\nCpus_allowed:\t5\nCpus_allowed_list:\t0,2-3\nMems:\t0\n"
BROKEN = "a connection that breaks off"
DONE = '{"metadata":{},"status":"Success"}'


def frame(kind, data):
    head = bytes([0x80 | kind])
    if len(data) < 126:
        return head + bytes([len(data)]) + data
    return head + b"\x7e" + len(data).to_bytes(2, "big") + data


@contextlib.contextmanager
def serve(answers):
    """Run commands in pods, as the API does over a WebSocket.

    :param answers: pod to what its command writes, an HTTP status, or
        None for silence
    """
    requests, closing = [], threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            url = urllib.parse.urlparse(self.path)
            name = url.path.split("/")[-2]
            query = urllib.parse.parse_qs(url.query)
            requests.append((name, query["container"], query["command"]))
            answer = answers[name]
            if answer is None:
                closing.wait(30)
            elif isinstance(answer, int):
                self.send_error(answer)
            else:
                self._tell(answer)

        def _tell(self, text):
            key = self.headers["Sec-WebSocket-Key"] + MAGIC
            digest = hashlib.sha1(key.encode(), usedforsecurity=False).digest()
            self.send_response(101)
            self.send_header("Upgrade", "websocket")
            self.send_header("Connection", "Upgrade")
            accept = base64.b64encode(digest).decode()
            self.send_header("Sec-WebSocket-Accept", accept)
            self.send_header("Sec-WebSocket-Protocol", "v4.channel.k8s.io")
            self.end_headers()
            if text is BROKEN:
                # The head of a frame, and no more.
                self.wfile.write(b"\x82\x7e")
                return
            self.wfile.write(frame(2, b"\1" + text.encode()))
            self.wfile.write(frame(2, b"\3" + DONE.encode()))
            self.wfile.write(frame(8, b"\x03\xe8"))

        def log_message(self, *_):
            pass

    with fake_api.connected(Handler, closing.set) as cluster:
        yield cluster, requests


def ask(answers, deadline_s=20.0):
    with serve(answers) as (cluster, requests):
        found, why = pod_cpusets.of_pods(
            cluster, "ns", list(answers), "target", deadline_s=deadline_s
        )
    return found, why, requests


def test_the_processors_of_pods_are_read():
    answers = {f"t-{number}": STATUS for number in range(40)}
    found, why, requests = ask(answers)
    assert why == ""
    assert found == dict.fromkeys(answers, frozenset({0, 2, 3}))
    wanted = (["target"], ["cat", "/proc/self/status"])
    assert sorted(requests) == sorted((name, *wanted) for name in answers)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (403, "403"),
        (
            "sh: cat: not found",
            "printed no processors but 'sh: cat: not found'",
        ),
        ("Cpus_allowed_list:\tmany\n", "many"),
        (BROKEN, "run a command|printed no processors|closed|lost"),
    ],
)
def test_reading_stops_at_the_first_error(answer, why):
    found, reason, requests = ask(
        {f"t-{number}": answer for number in range(60)}
    )
    assert found == {}
    assert re.search(why, reason)
    assert len(requests) <= pod_cpusets.AT_ONCE


def test_pods_that_do_not_answer_are_not_waited_for():
    found, why, _ = ask({"t-1": None, "t-2": STATUS}, deadline_s=1.5)
    assert set(found) == {"t-2"}
    assert "within 1.5 s" in why


def test_without_pods_nothing_is_requested():
    assert ask({}) == ({}, "", [])

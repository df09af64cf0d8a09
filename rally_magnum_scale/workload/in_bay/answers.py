"""One HTTP/1.1 answer: is it whole, and is it the expected one?

The engine only asks here about an answer that does not look like the one
before it: the first, one that came in pieces, and whatever is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

EXPECTED = b"HTTP/1.1 200"
HEAD_END = b"\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"


@dataclass(frozen=True)
class Answer:
    """What the bytes received so far amount to.

    :param whole: the answer has ended
    :param expected: it has the status 200
    :param fixed: its length was given, so the next can be known by it
    :param close: the connection is not to be used again
    :param overrun: more came than was announced
    """

    whole: bool
    expected: bool = False
    fixed: bool = False
    close: bool = False
    overrun: bool = False


def read(data: bytes) -> Answer:
    """Judge the bytes received since the request was sent.

    An answer with neither a length nor chunks ends with its connection;
    its length is unknown, so it is never whole.
    """
    head, end, body = data.partition(HEAD_END)
    if not end:
        return Answer(whole=False)
    lines = head.lower().split(b"\r\n")[1:]
    headers = {
        name.strip(): value.strip()
        for name, _, value in (line.partition(b":") for line in lines)
    }
    close = headers.get(b"connection") == b"close"
    expected = data.startswith(EXPECTED)
    if b"chunked" in headers.get(b"transfer-encoding", b""):
        whole = body.endswith(LAST_CHUNK)
        return Answer(whole, expected, fixed=False, close=close)
    try:
        length = int(headers[b"content-length"])
    except (KeyError, ValueError):
        return Answer(whole=False)
    return Answer(
        whole=len(body) >= length,
        expected=expected,
        fixed=True,
        close=close,
        overrun=len(body) > length,
    )

import pytest

from rally_magnum_scale.workload.in_bay import answers
from rally_magnum_scale.workload.in_bay.answers import Answer

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (b"", Answer(whole=False)),
        (HEAD[:20], Answer(whole=False)),
        (HEAD + b"ab", Answer(whole=False, expected=True, fixed=True)),
        (HEAD + b"abc", Answer(whole=True, expected=True, fixed=True)),
        (
            HEAD + b"abcd",
            Answer(whole=True, expected=True, fixed=True, overrun=True),
        ),
        (
            b"HTTP/1.1 503 No\r\nconnection: Close\r\nCONTENT-LENGTH:0\r\n"
            b"\r\n",
            Answer(whole=True, fixed=True, close=True),
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            Answer(whole=True, expected=True),
        ),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", Answer(whole=False)),
    ],
)
def test_read(data, answer):
    assert answers.read(data) == answer

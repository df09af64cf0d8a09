import itertools

import pytest

from rally_magnum_scale.workload.in_bay import answers
from rally_magnum_scale.workload.in_bay.answers import Malformed
from rally_magnum_scale.workload.in_bay.answers import Reader
from rally_magnum_scale.workload.in_bay.answers import Short

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNKS = (
    b'5;name="a;b"\r\nhello\r\n'
    b"00A\r\n0\r\n\r\n0\r\n\r\n\r\n"
    b"000;last\r\nTrailer: 0\r\nOther:\r\n\r\n"
)

# What was sent, the status and the bytes of its body.
WHOLE = {
    "length": (HEAD + b"abc", 200, 3),
    "no_body": (b"HTTP/1.1 503 No\r\nCONTENT-LENGTH:0\r\n\r\n", 503, 0),
    "no_content": (b"HTTP/1.1 204 No\r\n\r\n", 204, 0),
    "interim": (
        b"HTTP/1.1 103 Early\r\nLink: a\r\n\r\n" + HEAD + b"abc",
        200,
        3,
    ),
    "chunked": (CHUNKED + CHUNKS, 200, 15),
    "no_chunk": (CHUNKED + b"0\r\n\r\n", 200, 0),
    "chunked_with_length": (
        CHUNKED[:-2] + b"Content-Length: 7\r\n\r\n1\r\nx\r\n0\r\n\r\n",
        200,
        1,
    ),
}


@pytest.mark.parametrize("name", WHOLE)
def test_an_answer_is_whole_at_its_last_byte_however_it_is_cut(name):
    data, status, body_bytes = WHOLE[name]
    cuts = itertools.combinations_with_replacement(range(len(data) + 1), 2)
    for first, second in cuts:
        reader = Reader()
        pieces = [data[:first], data[first:second], data[second:]]
        for number, piece in enumerate(pieces):
            left = b"".join(pieces[number + 1 :])
            assert not piece or reader.take(piece) == (not left)
        assert reader.whole
        assert reader.head.status == status
        assert reader.body_bytes == body_bytes


@pytest.mark.parametrize("name", WHOLE)
def test_an_answer_may_come_byte_by_byte(name):
    data, status, body_bytes = WHOLE[name]
    reader = Reader()
    seen = [reader.take(bytes([one])) for one in data]
    assert seen == [False] * (len(data) - 1) + [True]
    assert (reader.head.status, reader.body_bytes) == (status, body_bytes)


@pytest.mark.parametrize("name", WHOLE)
def test_the_end_of_the_connection_ends_no_answer_that_is_bounded(name):
    data, *_ = WHOLE[name]
    for length in range(1, len(data)):
        reader = Reader()
        reader.take(data[:length])
        with pytest.raises(Short):
            reader.take(b"")


def test_the_end_of_a_connection_before_any_answer_is_a_reset():
    with pytest.raises(ConnectionResetError):
        Reader().take(b"")


def test_an_answer_without_a_length_ends_with_its_connection():
    reader = Reader()
    assert not reader.take(b"HTTP/1.0 200 OK\r\n\r\nuntil")
    assert not reader.take(b" the end")
    assert reader.take(b"")
    assert (reader.body_bytes, reader.head.close, reader.fixed) == (
        13,
        True,
        False,
    )


def test_the_answer_to_a_head_has_no_body():
    reader = Reader(bodiless=True)
    assert reader.take(HEAD)
    assert reader.body_bytes == 0


@pytest.mark.parametrize(
    ("headers", "close"),
    [
        (b"HTTP/1.1 200 OK\r\n", False),
        (b"HTTP/1.1 200 OK\r\nconnection: Close\r\n", True),
        (b"HTTP/1.1 200 OK\r\nConnection: TE, close\r\n", True),
        (b"HTTP/1.0 200 OK\r\n", True),
        (b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n", False),
    ],
)
def test_whether_a_connection_may_be_used_again(headers, close):
    assert answers.read_head(headers).close == close


@pytest.mark.parametrize(
    ("data", "fixed"),
    [
        (HEAD, True),
        (CHUNKED, False),
        (b"HTTP/1.1 200 OK\r\n\r\n", False),
        (HEAD[:-4], False),
    ],
)
def test_only_a_length_tells_how_long_the_next_is(data, fixed):
    reader = Reader()
    reader.take(data)
    assert reader.fixed == fixed


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        HEAD + b"abcd",
        CHUNKED + b"zz\r\n",
        CHUNKED + b"\r\n",
        CHUNKED + b"-1\r\n",
        CHUNKED + b"1\r\nabc\r\n",
        CHUNKED + b"0\r\n\r\n0\r\n\r\n",
        CHUNKED + b"1" * (answers.LINE_MAX_BYTES + 1),
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * answers.HEAD_MAX_BYTES,
    ],
)
def test_what_is_no_answer_is_said_to_be_none(data):
    with pytest.raises(Malformed):
        Reader().take(data)


def test_a_head_keeps_its_own_words():
    reader = Reader()
    reader.take(b"HTTP/1.1 103 Early\r\nX-A: 1\r\n\r\n" + HEAD + b"abc")
    assert reader.head.text == HEAD[:-2]

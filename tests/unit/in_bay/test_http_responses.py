import itertools

import hypothesis
import pytest
from hypothesis import strategies

from rally_magnum_scale.in_bay import http_responses
from rally_magnum_scale.in_bay.http_responses import Malformed
from rally_magnum_scale.in_bay.http_responses import Reader
from rally_magnum_scale.in_bay.http_responses import Short

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
def test_a_response_is_complete_at_its_last_byte(name):
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
def test_a_response_can_arrive_byte_by_byte(name):
    data, status, body_bytes = WHOLE[name]
    reader = Reader()
    seen = [reader.take(bytes([one])) for one in data]
    assert seen == [False] * (len(data) - 1) + [True]
    assert (reader.head.status, reader.body_bytes) == (status, body_bytes)


@pytest.mark.parametrize("name", WHOLE)
def test_a_close_before_the_announced_length_is_short(name):
    data, *_ = WHOLE[name]
    for length in range(1, len(data)):
        reader = Reader()
        reader.take(data[:length])
        with pytest.raises(Short):
            reader.take(b"")


def test_a_close_before_any_response_is_a_reset():
    with pytest.raises(ConnectionResetError):
        Reader().take(b"")


def test_a_response_without_a_length_ends_with_its_connection():
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
        # Lines of one name are one list.
        (
            b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
            b"Connection: keep-alive\r\n",
            True,
        ),
        (
            b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nA: 1\r\n"
            b"connection:te ,CLOSE\t\r\n",
            True,
        ),
        (
            b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n"
            b"Connection: X-A\r\n",
            False,
        ),
    ],
)
def test_whether_a_connection_is_reusable(headers, close):
    assert http_responses.read_head(headers).close == close


@pytest.mark.parametrize(
    ("data", "fixed"),
    [
        (HEAD, True),
        (CHUNKED, False),
        (b"HTTP/1.1 200 OK\r\n\r\n", False),
        (HEAD[:-4], False),
    ],
)
def test_only_responses_with_a_length_are_fixed(data, fixed):
    reader = Reader()
    reader.take(data)
    assert reader.fixed == fixed


def head(*lines):
    return b"\r\n".join([b"HTTP/1.1 200 OK", *lines, b"", b""])


@pytest.mark.parametrize(
    ("lines", "length"),
    [
        ([b"Content-Length: 3", b"content-length:3"], 3),
        ([b"Content-Length: 3, 3 ,\t03"], 3),
        ([b"Content-Length: 3", b"Content-Length: 4"], Malformed),
        ([b"Content-Length: 4", b"Content-Length: 3"], Malformed),
        ([b"Content-Length: 3, 4"], Malformed),
        ([b"Content-Length: 3,"], Malformed),
        ([b"Content-Length:"], Malformed),
        ([b"Content-Length: +3"], Malformed),
        ([b"Content-Length: 3", b"Content-Length: x"], Malformed),
        # Chunks decide, but not between lengths that contradict each other.
        ([b"Transfer-Encoding: chunked", b"Content-Length: 3, 4"], Malformed),
    ],
)
def test_all_content_lengths_must_agree(lines, length):
    text = head(*lines)[:-2]
    if length is Malformed:
        with pytest.raises(Malformed):
            http_responses.read_head(text)
    else:
        assert http_responses.read_head(text).length == length


@pytest.mark.parametrize(
    ("lines", "chunked"),
    [
        ([b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked"], True),
        ([b"Transfer-Encoding: gzip, Chunked,"], True),
        # Whatever comes after chunks ends with the connection.
        ([b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip"], False),
        ([b"Transfer-Encoding: chunked, chunked"], Malformed),
        ([b"Transfer-Encoding: chunked"] * 2, Malformed),
    ],
)
def test_all_transfer_codings_count(lines, chunked):
    text = head(*lines)[:-2]
    if chunked is Malformed:
        with pytest.raises(Malformed):
            http_responses.read_head(text)
    else:
        read = http_responses.read_head(text)
        assert (read.chunked, read.length) == (chunked, None)


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        # The last byte is the one that no answer could go on with.
        (b"HTTP/1.1 ", b"x"),
        (b"", b"\r"),
        (b"", b"h"),
        (b"HTTP/1.", b"2"),
        (b"HTTP/1.1 ", b"0"),
        (b"HTTP/1.1 20", b" "),
        (b"HTTP/1.1 200", b"0"),
        (b"HTTP/1.1 200 O", b"\n"),
        (b"HTTP/1.1 200 OK\r", b"x"),
        # It would switch to another protocol.
        (b"HTTP/1.1 101 Go\r", b"\n"),
        # The line before it would go on.
        (HEAD[:-2], b" "),
        (HEAD[:-2], b"\t"),
        (HEAD[:-2], b":"),
        (HEAD[:-2] + b"Name", b" "),
        (HEAD[:-2] + b"Name", b"\r"),
        (HEAD[:-2] + b"Name: a", b"\n"),
        (HEAD[:-2] + b"Name: a", b"\0"),
        (HEAD[:-2] + b"Name: a\r", b"b"),
        (HEAD[:-2] + b"\r", b"x"),
        (HEAD[:-2] + b"content-LENGTH: 3,", b"x"),
        (HEAD[:-2] + b"content-LENGTH: 4\r", b"\n"),
        (b"HTTP/1.0 200\r\nTransfer-Encoding: chunked\r", b"\n"),
        (CHUNKED[:-2] + b"Transfer-Encoding:chunked\r", b"\n"),
        (HEAD + b"abc", b"d"),
        (CHUNKED, b"g"),
        (CHUNKED, b"\r"),
        (CHUNKED + b"1" * 15, b"1"),
        (CHUNKED + b"1", b"\n"),
        (CHUNKED + b"1 ", b"1"),
        (CHUNKED + b"1;a", b"\n"),
        (CHUNKED + b"1\r\na", b"b"),
        (CHUNKED + b"1\r\na\r", b"\r"),
        (CHUNKED + b"0\r\n", b" "),
        (CHUNKED + b"0\r\nA", b"\r"),
        (CHUNKED + b"0\r\nA: 1\r\n\r\n", b"\r"),
    ],
)
@pytest.mark.parametrize("before", [b"", b"HTTP/1.1 103 Early\r\n\r\n"])
def test_a_response_is_malformed_at_the_first_invalid_byte(before, good, bad):
    reader = Reader()
    for one in before + good:
        reader.take(bytes([one]))
    with pytest.raises(Malformed):
        reader.take(bad)


# Whole answers, what nearly is one, and noise.
PARTS = [
    *(data for data, *_ in WHOLE.values()),
    HEAD,
    CHUNKED,
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.0 200\r\n",
    b"HTTP/1.1 100 Go on\r\n\r\n",
    b"Content-Length: 3\r\n",
    b"Content-Length: 4, 4\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n",
    b"A",
    b": ",
    b" ",
    b"\r",
    b"\n",
    b"\r\n",
    b"abc",
    b"3\r\nabc\r\n",
    b"0\r\n\r\n",
    b";x",
]
LIKE_ANSWERS = (
    strategies.lists(
        strategies.sampled_from(PARTS) | strategies.binary(max_size=3),
        min_size=1,
        max_size=8,
    )
    .map(b"".join)
    .filter(bool)
)


def what_comes_of(pieces):
    reader = Reader()
    try:
        for piece in pieces:
            reader.take(piece)
        if not reader.whole:
            reader.take(b"")
    except OSError as error:
        return type(error)
    return reader.head.status, reader.head.close, reader.body_bytes


@hypothesis.given(
    data=LIKE_ANSWERS, cuts=strategies.lists(strategies.integers(0, 400))
)
@hypothesis.example(data=CHUNKED + b"0\r\nContent-Length: x\r\n\r\n", cuts=[])
def test_the_result_does_not_depend_on_the_pieces(data, cuts):
    places = sorted({0, len(data), *(one % len(data) for one in cuts)})
    pieces = [data[a:b] for a, b in itertools.pairwise(places)]
    comes_of_it = what_comes_of([data])
    assert what_comes_of(pieces) == comes_of_it
    assert what_comes_of([bytes([one]) for one in data]) == comes_of_it


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
        CHUNKED + b"1" * (http_responses.LINE_MAX_BYTES + 1),
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * http_responses.HEAD_MAX_BYTES,
    ],
)
def test_data_that_is_no_response_is_malformed(data):
    with pytest.raises(Malformed):
        Reader().take(data)


def test_a_head_keeps_its_text():
    reader = Reader()
    reader.take(b"HTTP/1.1 103 Early\r\nX-A: 1\r\n\r\n" + HEAD + b"abc")
    assert reader.head.text == HEAD[:-2]

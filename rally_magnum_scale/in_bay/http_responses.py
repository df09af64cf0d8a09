"""Parse an HTTP/1.1 response that arrives in pieces (RFC 9112).

The engine uses this parser only for unusual responses: the first response,
one that arrives in several pieces, and malformed ones.

A response without a valid framing is refused at the first byte that shows
this, independent of the pieces.  The end of such a response is unknown, so a
parser that continued would wait until the request times out.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace

HEAD_END = b"\r\n\r\n"
LINE_END = b"\r\n"
# Longer heads, and longer lines with a chunk's size, are malformed.
HEAD_MAX_BYTES = 262_144
LINE_MAX_BYTES = 16_384

# Lines without line ends, and the possible beginnings of such lines.
_TEXT = rb"[^\r\n\0]*"
_STATUS = rb"HTTP/1\.([01]) ([1-9]\d\d)(?: %s)?" % _TEXT
_STATUS_BEGUN = re.compile(_STATUS + rb"\r?")
# No blank before the colon, and none before the name, where it would mark
# a continuation of the previous line (RFC 9112, sections 5.1 and 5.2).
_NAME = rb"[-!#$%&'*+.^_`|~0-9A-Za-z]+"
_FIELD = re.compile(rb"%s:%s" % (_NAME, _TEXT))
_FIELD_BEGUN = re.compile(rb"\r?|%s(?::%s\r?)?" % (_NAME, _TEXT))
_LENGTHS_BEGUN = re.compile(
    rb"content-length:[\d, \t]*\r?|(?!content-length:).*",
    re.IGNORECASE | re.DOTALL,
)
_HEAD = re.compile(rb"%s\r\n((?:%s\r\n)*)" % (_STATUS, _FIELD.pattern))
# The headers that define the end of a response and of its connection.
_LISTS = re.compile(
    rb"^(content-length|transfer-encoding|connection):(.*)\r$",
    re.IGNORECASE | re.MULTILINE,
)
# Chunk extensions are ignored (section 7.1.1).
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;%s)?" % _TEXT)
_SIZE_BEGUN = re.compile(rb"(?:%s\r?)?" % _SIZE.pattern)
_LENGTH = re.compile(rb"\d{1,18}")
# Completes the beginning of a status line to a whole one.
_ANY_STATUS = b"HTTP/1.1 200"
# Responses with these statuses never have a body (RFC 9112, section 6.3).
_BODILESS = (204, 304)
# Switching Protocols; the request never asks for another protocol.
_SWITCHING = 101


class Malformed(OSError):
    """The data is not a response, or more than one."""


class Short(OSError):
    """The connection ended in the middle of a response."""


@dataclass(frozen=True)
class Head:
    """The parsed head of a response.

    :param status: status code
    :param close: whether the connection can't be used again
    :param length: bytes of the body; None if the head has no length
    :param chunked: whether the body is chunked
    :param text: the head itself, for other headers
    """

    status: int
    close: bool
    length: int | None
    chunked: bool
    text: bytes = b""


@dataclass
class Reader:
    """Reads one response.

    :param bodiless: the response has no body, as after a HEAD
    """

    bodiless: bool = False
    head: Head | None = None
    whole: bool = False
    body_bytes: int = 0
    _pending: bytes = b""
    _left: int = 0
    _begun: bool = False
    _go_on: Callable[[], bool] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._go_on = self._take_head

    def take(self, piece: bytes) -> bool:
        """Take the next piece; return whether the response is complete.

        :param piece: received data; empty for the end of the connection
        :raises Malformed: when the response is invalid, or data follows it
        :raises Short: when the connection ends within the response
        :raises ConnectionResetError: when the connection ends before the
            response
        """
        if not piece:
            return self._end()
        self._begun = True
        self._pending += piece
        while not self.whole and self._go_on():
            pass
        if self.whole and self._pending:
            raise Malformed
        return self.whole

    @property
    def fixed(self) -> bool:
        """Whether all responses with this head have the same length."""
        return self.head is not None and not (
            self.head.chunked or self.head.length is None
        )

    def _end(self) -> bool:
        """Handle the connection's end, which may end a response."""
        self.whole = self._go_on == self._take_rest
        if self.whole:
            return True
        raise Short if self._begun else ConnectionResetError

    def _take_head(self) -> bool:
        text, end, rest = self._pending.partition(HEAD_END)
        if len(text) + len(end) > HEAD_MAX_BYTES:
            raise Malformed
        if not end:
            _check_begun_head(text)
            return False
        head = read_head(text + LINE_END)
        self._pending = rest
        # An interim response precedes the final response.
        if head.status >= 200:
            self._begin_body(head)
        return True

    def _begin_body(self, head: Head) -> None:
        self.head = head
        if self.bodiless or head.status in _BODILESS:
            self.whole = True
        elif head.chunked:
            self._go_on = self._take_size
        elif head.length is None:
            self.head = replace(head, close=True)
            self._go_on = self._take_rest
        else:
            self._left = head.length
            self._go_on = self._take_fixed

    def _take_fixed(self) -> bool:
        self.whole = self._take_left()
        return self.whole

    def _take_rest(self) -> bool:
        self._left = len(self._pending)
        self._take_left()
        return False

    def _take_size(self) -> bool:
        line = self._line(_SIZE_BEGUN)
        if line is None:
            return False
        self._left = int(_matched(_SIZE, line)[1], 16)
        self._go_on = self._take_chunk if self._left else self._take_trailer
        return True

    def _take_chunk(self) -> bool:
        if self._take_left():
            self._go_on = self._take_chunk_end
            return True
        return False

    def _take_chunk_end(self) -> bool:
        if not LINE_END.startswith(self._pending[: len(LINE_END)]):
            raise Malformed
        if len(self._pending) < len(LINE_END):
            return False
        self._pending = self._pending[len(LINE_END) :]
        self._go_on = self._take_size
        return True

    def _take_trailer(self) -> bool:
        line = self._line(_FIELD_BEGUN)
        if line:
            _matched(_FIELD, line)
        self.whole = line == b""
        return line is not None

    def _take_left(self) -> bool:
        """Take received bytes of the body; return whether it is complete."""
        taken = min(self._left, len(self._pending))
        self.body_bytes += taken
        self._left -= taken
        self._pending = self._pending[taken:]
        return not self._left

    def _line(self, begun: re.Pattern[bytes]) -> bytes | None:
        """Take the next line; return None as long as it is incomplete.

        :param begun: pattern of a valid incomplete line
        """
        line, end, rest = self._pending.partition(LINE_END)
        if len(line) + len(end) > LINE_MAX_BYTES:
            raise Malformed
        if not end:
            _matched(begun, line)
            return None
        self._pending = rest
        return line


def read_head(text: bytes) -> Head:
    """Parse the status line and the headers of a response.

    :param text: whole lines, without the empty line at the end
    :raises Malformed: when there is no status, or the framing is invalid
    """
    found = _matched(_HEAD, text)
    old, status = found[1] == b"0", int(found[2])
    lists = _lists(found[3])
    length = _length(lists[b"content-length"])
    codings = [one for one in lists[b"transfer-encoding"] if one]
    options = lists[b"connection"]
    if status == _SWITCHING or (old and codings):
        raise Malformed
    return Head(
        status=status,
        close=b"close" in options or (old and b"keep-alive" not in options),
        # If both are given, the chunks take precedence (section 6.3).
        length=None if codings else length,
        chunked=_is_chunked(codings),
        text=text,
    )


def _lists(fields: bytes) -> dict[bytes, list[bytes]]:
    """Return the headers for the framing, as lists in lower case.

    Several lines with the same name form one list (RFC 9110, section 5.2).
    """
    found: dict[bytes, list[bytes]] = defaultdict(list)
    for name, value in _LISTS.findall(fields):
        found[name.lower()] += [
            one.strip(b" \t") for one in value.lower().split(b",")
        ]
    return found


def _length(lengths: list[bytes]) -> int | None:
    """Return the length of a body on which all headers agree, or None."""
    if not all(map(_LENGTH.fullmatch, lengths)):
        raise Malformed
    different = set(map(int, lengths))
    if len(different) > 1:
        raise Malformed
    return different.pop() if different else None


def _is_chunked(codings: list[bytes]) -> bool:
    """Return whether the body is chunked, which must be the last coding."""
    if codings.count(b"chunked") > 1:
        raise Malformed
    return codings[-1:] == [b"chunked"]


def _check_begun_head(text: bytes) -> None:
    """Refuse data that can't be the beginning of a head.

    :param text: all data received so far
    """
    lines, end, rest = text.rpartition(LINE_END)
    if end:
        read_head(lines + end)
        _matched(_FIELD_BEGUN, rest)
        _matched(_LENGTHS_BEGUN, rest)
    else:
        _matched(_STATUS_BEGUN, rest + _ANY_STATUS[len(rest) :])


def _matched(pattern: re.Pattern[bytes], text: bytes) -> re.Match[bytes]:
    found = pattern.fullmatch(text)
    if not found:
        raise Malformed
    return found

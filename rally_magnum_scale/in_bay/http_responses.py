"""One HTTP/1.1 answer, read from whatever pieces it comes in (RFC 9112).

The engine only asks here about an answer that does not look like the one
before it: the first, one that came in pieces, and whatever is wrong.

What can't be framed is refused with the first byte that shows it, however
the bytes are cut into pieces.  Nobody could say where such an answer ends,
so a reader that went on would wait until the request times out.
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
# What nobody means by a head, or by the line of a chunk's size.
HEAD_MAX_BYTES = 262_144
LINE_MAX_BYTES = 16_384

# Lines without their ends, and what such a line may begin with.
_TEXT = rb"[^\r\n\0]*"
_STATUS = rb"HTTP/1\.([01]) ([1-9]\d\d)(?: %s)?" % _TEXT
_STATUS_BEGUN = re.compile(_STATUS + rb"\r?")
# No blank before the colon, and none before the name: that would be a line
# that goes on with the one before it (RFC 9112, sections 5.1 and 5.2).
_NAME = rb"[-!#$%&'*+.^_`|~0-9A-Za-z]+"
_FIELD = re.compile(rb"%s:%s" % (_NAME, _TEXT))
_FIELD_BEGUN = re.compile(rb"\r?|%s(?::%s\r?)?" % (_NAME, _TEXT))
_LENGTHS_BEGUN = re.compile(
    rb"content-length:[\d, \t]*\r?|(?!content-length:).*",
    re.IGNORECASE | re.DOTALL,
)
_HEAD = re.compile(rb"%s\r\n((?:%s\r\n)*)" % (_STATUS, _FIELD.pattern))
# The headers that say where an answer ends, and its connection.
_LISTS = re.compile(
    rb"^(content-length|transfer-encoding|connection):(.*)\r$",
    re.IGNORECASE | re.MULTILINE,
)
# Extensions of a chunk mean nothing to us (section 7.1.1).
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;%s)?" % _TEXT)
_SIZE_BEGUN = re.compile(rb"(?:%s\r?)?" % _SIZE.pattern)
_LENGTH = re.compile(rb"\d{1,18}")
# What makes a whole status line of the beginning of one.
_ANY_STATUS = b"HTTP/1.1 200"
# They have no body, whatever their head says (RFC 9112, section 6.3).
_BODILESS = (204, 304)
# From here on it would be another protocol, which nobody has asked for.
_SWITCHING = 101


class Malformed(OSError):
    """What came is no answer, or more than one."""


class Short(OSError):
    """The connection ended in the middle of an answer."""


@dataclass(frozen=True)
class Head:
    """What the head of an answer says.

    :param status: as a number
    :param close: the connection is not to be used again
    :param length: bytes of the body, None where it is not announced
    :param chunked: the body comes in chunks
    :param text: the head itself, where somebody asks for more of it
    """

    status: int
    close: bool
    length: int | None
    chunked: bool
    text: bytes = b""


@dataclass
class Reader:
    """Reads one answer.

    :param bodiless: it has no body, as the answer to a HEAD
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
        """Read on; tell whether the answer is whole now.

        :param piece: what was received, nothing for the connection's end
        :raises Malformed: when it can't be right, or goes on after its end
        :raises Short: when it ends before its end
        :raises ConnectionResetError: when it ends before its beginning
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
        """Whether another answer with this head is as long as this one."""
        return self.head is not None and not (
            self.head.chunked or self.head.length is None
        )

    def _end(self) -> bool:
        """An answer with neither length nor chunks ends here."""
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
        # An interim answer comes before the one that was asked for.
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
        """Take of the body what has come; tell whether that is all of it."""
        taken = min(self._left, len(self._pending))
        self.body_bytes += taken
        self._left -= taken
        self._pending = self._pending[taken:]
        return not self._left

    def _line(self, begun: re.Pattern[bytes]) -> bytes | None:
        """Take the next line, None as long as it is not whole.

        :param begun: what it may begin with
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
    """Read the status line and the headers of an answer.

    :param text: whole lines, without the empty one at the end
    :raises Malformed: when it has no status, or can't say where it ends
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
        # Where both are given, the chunks decide (section 6.3).
        length=None if codings else length,
        chunked=_is_chunked(codings),
        text=text,
    )


def _lists(fields: bytes) -> dict[bytes, list[bytes]]:
    """Return the headers that matter, as lists in lower case.

    Several lines of one name are one list (RFC 9110, section 5.2).
    """
    found: dict[bytes, list[bytes]] = defaultdict(list)
    for name, value in _LISTS.findall(fields):
        found[name.lower()] += [
            one.strip(b" \t") for one in value.lower().split(b",")
        ]
    return found


def _length(lengths: list[bytes]) -> int | None:
    """Return what all lengths of a head agree on, None without one."""
    if not all(map(_LENGTH.fullmatch, lengths)):
        raise Malformed
    different = set(map(int, lengths))
    if len(different) > 1:
        raise Malformed
    return different.pop() if different else None


def _is_chunked(codings: list[bytes]) -> bool:
    """Tell whether chunks are the last coding, as they must be if any."""
    if codings.count(b"chunked") > 1:
        raise Malformed
    return codings[-1:] == [b"chunked"]


def _check_begun_head(text: bytes) -> None:
    """Refuse what can't become a head any more.

    :param text: all that has come of it
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

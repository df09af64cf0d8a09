"""One HTTP/1.1 answer, read from whatever pieces it comes in (RFC 9112).

The engine only asks here about an answer that does not look like the one
before it: the first, one that came in pieces, and whatever is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace

HEAD_END = b"\r\n\r\n"
LINE_END = b"\r\n"
# What nobody means by a head, or by the line of a chunk's size.
HEAD_MAX_BYTES = 262_144
LINE_MAX_BYTES = 16_384

_STATUS = re.compile(rb"HTTP/1\.([01]) (\d{3})[ \r]")
_SIZE = re.compile(rb"[0-9A-Fa-f]{1,15}")
_LENGTH = re.compile(rb"\d{1,18}")
# They have no body, whatever their head says (RFC 9112, section 6.3).
_BODILESS = (204, 304)


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
        if not end:
            return self._wait(HEAD_MAX_BYTES)
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
        line = self._line()
        if line is None:
            return False
        # Extensions of a chunk mean nothing to us (section 7.1.1).
        size = line.partition(b";")[0].strip()
        if not _SIZE.fullmatch(size):
            raise Malformed
        self._left = int(size, 16)
        self._go_on = self._take_chunk if self._left else self._take_trailer
        return True

    def _take_chunk(self) -> bool:
        if self._take_left():
            self._go_on = self._take_chunk_end
            return True
        return False

    def _take_chunk_end(self) -> bool:
        if len(self._pending) < len(LINE_END):
            return False
        if not self._pending.startswith(LINE_END):
            raise Malformed
        self._pending = self._pending[len(LINE_END) :]
        self._go_on = self._take_size
        return True

    def _take_trailer(self) -> bool:
        line = self._line()
        self.whole = line == b""
        return line is not None

    def _take_left(self) -> bool:
        """Take of the body what has come; tell whether that is all of it."""
        taken = min(self._left, len(self._pending))
        self.body_bytes += taken
        self._left -= taken
        self._pending = self._pending[taken:]
        return not self._left

    def _line(self) -> bytes | None:
        line, end, rest = self._pending.partition(LINE_END)
        if not end:
            self._wait(LINE_MAX_BYTES)
            return None
        self._pending = rest
        return line

    def _wait(self, limit_bytes: int) -> bool:
        """Wait for more, but not for ever."""
        if len(self._pending) > limit_bytes:
            raise Malformed
        return False


def read_head(text: bytes) -> Head:
    """Read the status line and the headers of an answer.

    :param text: up to the empty line, which is left out
    :raises Malformed: when it has no status, or no usable length
    """
    found = _STATUS.match(text)
    if not found:
        raise Malformed
    headers = _headers(text)
    codings = headers.get(b"transfer-encoding", b"")
    chunked = codings.rpartition(b",")[2].strip() == b"chunked"
    length = headers.get(b"content-length")
    if length is not None and not _LENGTH.fullmatch(length):
        raise Malformed
    options = headers.get(b"connection", b"").replace(b" ", b"").split(b",")
    old = found[1] == b"0"
    return Head(
        status=int(found[2]),
        close=b"close" in options or (old and b"keep-alive" not in options),
        # Where both are given, the chunks decide (section 6.3).
        length=None if length is None or codings else int(length),
        chunked=chunked,
        text=text,
    )


def _headers(text: bytes) -> dict[bytes, bytes]:
    lines = (line.partition(b":") for line in text.lower().splitlines()[1:])
    return {name.strip(): value.strip() for name, _, value in lines}

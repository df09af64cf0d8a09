"""Recognize usual responses without parsing them."""

from __future__ import annotations


class ResponseFingerprint:
    """The length of a usual response, and its possible heads.

    There are two heads, because the date of one target may change a little
    later.  The engine reads ``want`` and ``heads`` once for many responses
    and compares them itself, because a call per response would cost as much
    as the comparison.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Forget the usual response, until a new one is learnt."""
        self.want = -1
        self.heads: tuple[bytes, ...] = ()

    def learn(self, data: bytes, body_bytes: int) -> None:
        """Learn a response as the usual response.

        Another response with the same head, which contains the length, and
        the same number of bytes is also complete and as expected.  An interim
        response before it is part of the learnt head.
        """
        head = data[: len(data) - body_bytes]
        if len(data) != self.want:
            self.heads = ()
        self.want = len(data)
        self.heads = (head, *self.heads[:1])

"""What an answer looks like that need not be read."""

from __future__ import annotations


class ResponseFingerprint:
    """The length of a usual answer, and the heads that it may have.

    Two heads, since a date may change in one target's a little later.  The
    engine reads ``want`` and ``heads`` once for many answers, and compares
    by itself: a call for each would cost as much as the comparison.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Know no usual answer, until one is learnt."""
        self.want = -1
        self.heads: tuple[bytes, ...] = ()

    def learn(self, data: bytes, body_bytes: int) -> None:
        """Take an answer as an example of the next ones.

        With the same head, and so the same length announced, and as many
        bytes, another answer is whole and right as well.  An interim
        answer before it belongs to its head: alone, it tells nothing.
        """
        head = data[: len(data) - body_bytes]
        if len(data) != self.want:
            self.heads = ()
        self.want = len(data)
        self.heads = (head, *self.heads[:1])

"""Recognize usual responses without parsing them, and count versions.

During an update of the targets, two versions respond.  The engine
recognizes a usual response by its head and does not parse it.  So all usual
heads belong to one version, the usual version.  Responses of other versions
are parsed and counted here.  All other responses are of the usual version.
"""

from __future__ import annotations

import re
from collections import defaultdict

from rally_magnum_scale.in_bay.http_responses import Head


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


class Versions:
    """Counts of one second by version, and the usual version.

    :param header: name of the header with the version; empty if versions
        are not counted
    """

    def __init__(self, header: str) -> None:
        name = re.escape(header.encode())
        self._header = re.compile(
            rb"^%s:([^\r\n]*)" % name, re.IGNORECASE | re.MULTILINE
        )
        self._are_counted = bool(header)
        # The version of the first response, until another version has more
        # responses in a second.
        self._usual: str | None = None
        self._others: dict[str, int] = defaultdict(int)

    def note(self, head: Head) -> bool:
        """Note an expected response that was parsed.

        :returns: whether it is of the usual version, so that similar
            responses need not be parsed
        """
        if not self._are_counted:
            return True
        version = self._of(head)
        if self._usual is None:
            self._usual = version
        if version == self._usual:
            return True
        self._others[version] += 1
        return False

    def take(self, requests: int) -> dict[str, int]:
        """Return the counts of the finished second, and reset them.

        :param requests: number of expected responses in the second
        :returns: count of each version, without zeros
        """
        others, self._others = self._others, defaultdict(int)
        usual = requests - sum(others.values())
        if self._usual is None or not usual:
            return dict(others)
        return {self._usual: usual, **others}

    def follow(self, counts: dict[str, int]) -> bool:
        """Make the version with the most responses the usual one.

        :param counts: counts of the finished second
        :returns: whether the usual version has changed
        """
        most = max(counts, key=lambda version: counts[version], default="")
        if counts.get(most, 0) <= counts.get(self._usual or "", 0):
            return False
        self._usual = most
        return True

    def _of(self, head: Head) -> str:
        found = self._header.search(head.text)
        return found[1].strip().decode("latin-1") if found else ""

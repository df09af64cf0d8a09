"""How many answers of a second came from which version of the targets.

While the targets are updated, two versions answer at once.  The engine
knows a usual answer by its head and does not read it.  So the usual heads
are those of one version only: an answer of any other one is read, and
counted here, and all the rest are of the usual one.
"""

from __future__ import annotations

import re
from collections import defaultdict

from rally_magnum_scale.in_bay.http_responses import Head


class Versions:
    """Counts of one second, and which version is the usual one in it.

    :param header: name of the header that tells the version, nothing when
        versions are not counted
    """

    def __init__(self, header: str) -> None:
        name = re.escape(header.encode())
        self._header = re.compile(
            rb"^%s:([^\r\n]*)" % name, re.IGNORECASE | re.MULTILINE
        )
        self._are_counted = bool(header)
        # That of the first answer, until another has more in a second.
        self._usual: str | None = None
        self._others: dict[str, int] = defaultdict(int)

    def note(self, head: Head) -> bool:
        """Note an answer as expected that was read.

        :returns: whether it is of the usual version, so that others like
            it need not be read
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
        """Return the counts of the second that is over, once.

        :param requests: answered as expected in it
        :returns: version to count, none of them 0
        """
        others, self._others = self._others, defaultdict(int)
        usual = requests - sum(others.values())
        if self._usual is None or not usual:
            return dict(others)
        return {self._usual: usual, **others}

    def follow(self, counts: dict[str, int]) -> bool:
        """Make the version of most answers the usual one.

        :param counts: of the second that is over
        :returns: whether it is another one now
        """
        most = max(counts, key=lambda version: counts[version], default="")
        if counts.get(most, 0) <= counts.get(self._usual or "", 0):
            return False
        self._usual = most
        return True

    def _of(self, head: Head) -> str:
        found = self._header.search(head.text)
        return found[1].strip().decode("latin-1") if found else ""

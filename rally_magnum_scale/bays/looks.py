"""Look at one bay again and again, as every wait for one does."""

from __future__ import annotations

import dataclasses
from typing import Any

from rally_magnum_scale import exceptions
from rally_magnum_scale.bays import answers

MAX_ERRORS_IN_A_ROW = 5


@dataclasses.dataclass(frozen=True)
class _Unknown:
    """A cluster before Magnum has shown it for the first time."""

    status: str | None = None


UNKNOWN = _Unknown()


class Looks:
    """Shows a cluster, None when it is gone.

    An answer that is an error is passed over a few times in a row: an API
    under load drops requests, and a cluster that was just created may
    answer 400 once.  What was seen last is shown meanwhile.

    :param magnum: a Magnum client
    :param uuid: of the cluster
    """

    def __init__(self, magnum: Any, uuid: str) -> None:
        self._magnum = magnum
        self._uuid = uuid
        self._last: Any | None = UNKNOWN
        self._failed = 0

    def __call__(self) -> Any | None:
        """Look once.

        :returns: the cluster, None when it is gone, :data:`UNKNOWN` when
            it was never seen
        :raises BayError: when too many looks in a row were errors
        """
        try:
            self._last = answers.look(self._magnum.clusters, self._uuid)
            self._failed = 0
        except answers.CLIENT_ERRORS as error:
            self._failed += 1
            if self._failed > MAX_ERRORS_IN_A_ROW:
                raise exceptions.BayError(
                    f"Magnum answered {self._failed} requests for the bay "
                    f"{self._uuid} in a row with an error: {error}."
                ) from error
        return self._last

"""Run cleanup steps after the work, whether it succeeded or failed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from collections.abc import Iterator


@contextlib.contextmanager
def after(
    step: Callable[[], object],
    log: Callable[[str], None],
) -> Iterator[None]:
    """Run a cleanup step after the block, even if the block raises.

    If both fail, the error of the block is raised and the error of the step
    is only reported.  Otherwise the error "namespace could not be removed"
    would hide the reason why a load failed.

    :param step: the cleanup step
    :param log: callback for an error of the step after an error of the
        block
    """
    try:
        yield
    except BaseException:
        _try(step, log)
        raise
    step()


def _try(step: Callable[[], object], log: Callable[[str], None]) -> None:
    try:
        step()
    except Exception as error:
        log(f"Cleanup after a failure also failed: {error}")

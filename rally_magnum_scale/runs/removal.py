"""Steps that must be taken on the way out, whatever ended the work."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from collections.abc import Iterator


@contextlib.contextmanager
def after(
    step: Callable[[], object],
    report: Callable[[str], None],
) -> Iterator[None]:
    """Run a block of work, and then, whatever ended it, a step.

    An error of the work is the one that is raised: what went wrong in the
    step as well is only told, or a load that failed would be reported as
    a namespace that could not be removed.

    :param step: what must be done on the way out
    :param report: gets an error that would cover one of the work
    """
    try:
        yield
    except BaseException:
        _try(step, report)
        raise
    step()


def _try(step: Callable[[], object], report: Callable[[str], None]) -> None:
    try:
        step()
    except Exception as error:
        report(f"On the way out of a failure: {error}")

"""Whether a text surely is no Locust file that can run in a bay.

Only what is certain is refused here.  Which of its classes are users says
Locust itself, where it runs (``in_bay.refusal``): the file is made for a
worker's pod, and Locust patches every process that imports it.
"""

from __future__ import annotations

import ast
import platform

# Half of the 1 MiB that Kubernetes lets a ConfigMap have: the package's code
# is in the same one.
MAX_BYTES = 524_288


def check(text: str) -> None:
    """Refuse what can't run as a load.

    :param text: the Locust file
    :raises ValueError: naming the argument, and what is wrong with the file
    """
    code = text.encode()
    if len(code) > MAX_BYTES:
        raise _wrong(
            f"it has {len(code)} bytes, and the ConfigMap that takes it to "
            f"the bay has room for {MAX_BYTES}; move data out of it"
        )
    try:
        # As bytes: a mark of the byte order and a coding line are right.
        ast.parse(code)
    except (SyntaxError, ValueError) as error:
        where = getattr(error, "lineno", None)
        at = f" (line {where}: {error.args[0]})" if where else ""
        raise _wrong(
            f"it is not Python {platform.python_version()}{at}"
        ) from None
    except (MemoryError, RecursionError):
        # Too deep for this process, which says nothing about another one.
        return


def _wrong(clause: str) -> ValueError:
    return ValueError(f"locust_file: {clause}")

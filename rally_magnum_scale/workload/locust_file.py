"""Read a user's locustfile, and refuse what can't be one in a bay.

Only certain errors are refused here.  In the bay, Locust itself determines
which classes of the file are users (``in_bay.refusal``).  This module does
not import the file, because the file is written for a worker's pod, and
because Locust patches every process that imports it.
"""

from __future__ import annotations

import ast
import platform
from pathlib import Path

from rally_magnum_scale import exceptions

ARGUMENT = "locust_file"
# Half of Kubernetes' limit of 1 MiB for a ConfigMap, because the ConfigMap
# also contains the package's code.
MAX_BYTES = 524_288


def read(path: str | None) -> str | None:
    """Return the text of a locustfile, or None without a path.

    :param path: on the host where Rally runs; ``~`` is the home folder
    :raises InvalidInput: when the file can't be read as text
    """
    if path is None:
        return None
    try:
        return Path(path).expanduser().read_text("utf-8")
    except UnicodeDecodeError as error:
        raise exceptions.InvalidInput(
            f"{ARGUMENT}: {path} is not a Python file: it is not UTF-8 text; "
            "give the path of a locustfile."
        ) from error
    except (OSError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or error
        raise exceptions.InvalidInput(
            f"{ARGUMENT}: {path} can't be read ({why}); give the path of a "
            "locustfile on the host where Rally runs."
        ) from error


def check(text: str) -> None:
    """Check a locustfile.

    :param text: the locustfile
    :raises ValueError: when the file is invalid; names the argument and the
        error
    """
    code = text.encode()
    if len(code) > MAX_BYTES:
        raise _wrong(
            f"it has {len(code)} bytes, but its ConfigMap in the bay has "
            f"room for {MAX_BYTES}; move data out of the file"
        )
    try:
        # As bytes, because a byte order mark and a coding line are valid.
        ast.parse(code)
    except (SyntaxError, ValueError) as error:
        where = getattr(error, "lineno", None)
        at = f" (line {where}: {error.args[0]})" if where else ""
        raise _wrong(
            f"it is not Python {platform.python_version()}{at}"
        ) from None
    except (MemoryError, RecursionError):
        # The code is nested too deeply for this process, but perhaps not
        # for the worker.
        return


def _wrong(clause: str) -> ValueError:
    return ValueError(f"{ARGUMENT}: {clause}")

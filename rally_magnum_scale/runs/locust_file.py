"""Read a user's Locust file on the host where Rally runs."""

from __future__ import annotations

from pathlib import Path

from rally_magnum_scale import exceptions

ARGUMENT = "locust_file"


def read(path: str | None) -> str | None:
    """Return the text of a Locust file, or None without a path.

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
            "give the path of a Locust file."
        ) from error
    except (OSError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or error
        raise exceptions.InvalidInput(
            f"{ARGUMENT}: {path} can't be read ({why}); give the path of a "
            "Locust file on the host where Rally runs."
        ) from error

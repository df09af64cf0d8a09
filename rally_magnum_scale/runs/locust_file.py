"""An ordinary Locust file of the user's, read where Rally runs."""

from __future__ import annotations

from pathlib import Path

from rally_magnum_scale import exceptions

ARGUMENT = "locust_file"


def read(path: str | None) -> str | None:
    """Return the text of a Locust file, or None without one.

    :param path: where Rally runs; ``~`` is the home folder
    :raises InvalidInput: when it can't be read as text
    """
    if path is None:
        return None
    try:
        return Path(path).expanduser().read_text("utf-8")
    except UnicodeDecodeError as error:
        raise exceptions.InvalidInput(
            f"{ARGUMENT}: {path} is not Python, as it is no text in UTF-8; "
            "give the path of a Locust file."
        ) from error
    except (OSError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or error
        raise exceptions.InvalidInput(
            f"{ARGUMENT}: {path} can't be read ({why}); give the path of a "
            "Locust file on the host where Rally runs."
        ) from error

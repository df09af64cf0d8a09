"""Read the credentials of an image registry from a Docker config file."""

from __future__ import annotations

import json
from pathlib import Path

from rally_magnum_scale import exceptions

ARGUMENT = "image_pull_secret_file"


def read(path: str | None) -> str | None:
    """Return the content of a Docker ``config.json``, or None without a path.

    Read the file whenever its content is needed, because only its path may
    be stored in Rally's database.

    :param path: on the host where Rally runs; ``~`` is the home folder
    :raises InvalidInput: when the file can't be read or names no registry;
        the message never has the content
    """
    if path is None:
        return None
    try:
        content = Path(path).expanduser().read_text("utf-8")
        registries = json.loads(content)["auths"]
    except OSError as error:
        raise exceptions.InvalidInput(
            f"{ARGUMENT}: {path} can't be read ({error.strerror}); give the "
            "path of a Docker config.json on the host where Rally runs."
        ) from error
    except (KeyError, TypeError, ValueError):
        registries = None
    if not isinstance(registries, dict) or not registries:
        raise exceptions.InvalidInput(
            f"{ARGUMENT}: {path} is not a Docker config.json: it must be JSON "
            'with an object "auths" that names a registry, as "docker login" '
            "writes it without a credential helper."
        )
    return content

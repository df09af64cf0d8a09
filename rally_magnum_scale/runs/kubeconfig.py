"""Write a kubeconfig for a bay that is kept after the run."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import yaml

from rally_magnum_scale import exceptions
from rally_magnum_scale.bays import credentials


def write(folder: Path, bay: str, own: credentials.BayCredentials) -> Path:
    """Write ``<bay>.kubeconfig``, which only this user can read.

    :param folder: folder of the file, in which the file must not exist
    :param bay: name of the bay
    :param own: credentials of the bay
    :returns: path of the file
    :raises InvalidInput: when the file can't be written
    """
    path = folder.absolute() / f"{bay}.kubeconfig"
    content = yaml.safe_dump(_content(bay, own), sort_keys=False)
    try:
        path.touch(mode=0o600, exist_ok=False)
        path.write_text(content, "utf-8")
    except OSError as error:
        raise exceptions.InvalidInput(
            f"keep_bay: {path} can't be written ({error.strerror}); start "
            "the task in a folder that this user can write to."
        ) from error
    return path


def _content(bay: str, own: credentials.BayCredentials) -> dict[str, Any]:
    user = {
        "client-certificate-data": _encoded(own.certificate_pem),
        "client-key-data": _encoded(own.key_pem),
    }
    cluster = {
        "server": own.api_address,
        "certificate-authority-data": _encoded(own.ca_pem),
    }
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": bay, "cluster": cluster}],
        "users": [{"name": "admin", "user": user}],
        "contexts": [
            {"name": bay, "context": {"cluster": bay, "user": "admin"}}
        ],
        "current-context": bay,
    }


def _encoded(pem: str) -> str:
    return base64.b64encode(pem.encode()).decode()

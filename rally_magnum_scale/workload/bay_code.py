"""The code that runs in a bay, as files that are mounted into its pods."""

from __future__ import annotations

from pathlib import Path

import rally_magnum_scale
from rally_magnum_scale.workload.load_spec import LoadSpec

CODE_ROOT = "/opt/rally-magnum-scale"
OWN_FILE_PATH = "own_file/own_locust_file.py"

PACKAGE = Path(rally_magnum_scale.__file__).parent
# What runs in the bay, by its path in the package.
CODE_PATHS = ("__init__.py", "in_bay/**/*.py")


def locustfiles(spec: LoadSpec) -> str:
    """Return what Locust reads: ours before one of the user's."""
    ours = f"{PACKAGE.name}/in_bay/locustfile.py"
    both = [ours] if spec.own_file is None else [ours, OWN_FILE_PATH]
    return ",".join(f"{CODE_ROOT}/{path}" for path in both)


def files(spec: LoadSpec) -> dict[str, str]:
    """Return the text of all files below ``CODE_ROOT`` by their paths."""
    found = {f"{PACKAGE.name}/{path}": one for path, one in _code().items()}
    if spec.own_file is not None:
        found[OWN_FILE_PATH] = spec.own_file
    return found


def key(path: str) -> str:
    """Return the key of a file in a ConfigMap, which has no slash."""
    return path.replace("/", ".")


def _code() -> dict[str, str]:
    paths = [
        path
        for pattern in CODE_PATHS
        for path in sorted(PACKAGE.glob(pattern))
    ]
    return {
        path.relative_to(PACKAGE).as_posix(): path.read_text("utf-8")
        for path in paths
    }

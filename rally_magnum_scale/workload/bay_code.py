"""The code that runs in a bay, as files to mount into its pods."""

from __future__ import annotations

from pathlib import Path

import rally_magnum_scale
from rally_magnum_scale.workload.load_spec import LoadSpec

CODE_ROOT = "/opt/rally-magnum-scale"
OWN_FILE_PATH = "own_file/own_locust_file.py"

PACKAGE = Path(rally_magnum_scale.__file__).parent
# Paths, in the package, of the modules that run in the bay.
CODE_PATHS = ("__init__.py", "in_bay/**/*.py")


def locustfiles(spec: LoadSpec) -> str:
    """Return the value for Locust's -f: our file, then the user's file."""
    ours = f"{PACKAGE.name}/in_bay/locustfile.py"
    both = [ours] if spec.own_file is None else [ours, OWN_FILE_PATH]
    return ",".join(f"{CODE_ROOT}/{path}" for path in both)


def files(spec: LoadSpec) -> dict[str, str]:
    """Return the texts of all files below ``CODE_ROOT``, keyed by path."""
    found = {f"{PACKAGE.name}/{path}": one for path, one in _code().items()}
    if spec.own_file is not None:
        found[OWN_FILE_PATH] = spec.own_file
    return found


def key(path: str) -> str:
    """Return a file's key in a ConfigMap, where slashes are not allowed."""
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

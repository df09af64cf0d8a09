"""The sandbox's errors, and the errors of rally_magnum_scale that it raises.

.. code-block:: text

    ScaleError              of :mod:`rally_magnum_scale.exceptions`
    └── SandboxError        the one-machine cloud
        └── MissingRequirement   the machine lacks a requirement
"""

from rally_magnum_scale.exceptions import CommandFailed
from rally_magnum_scale.exceptions import DeadlineExceeded
from rally_magnum_scale.exceptions import Interrupted
from rally_magnum_scale.exceptions import InvalidInput
from rally_magnum_scale.exceptions import ScaleError

__all__ = (
    "CommandFailed",
    "DeadlineExceeded",
    "Interrupted",
    "InvalidInput",
    "MissingRequirement",
    "SandboxError",
    "ScaleError",
)


class SandboxError(ScaleError):
    """The one-machine cloud failed."""


class MissingRequirement(SandboxError):
    """This machine lacks something that the sandbox needs."""

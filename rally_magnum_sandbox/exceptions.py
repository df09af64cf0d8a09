"""The errors of the sandbox, and those of the product that it raises too.

.. code-block:: text

    ScaleError              of :mod:`rally_magnum_scale.exceptions`
    └── SandboxError        the one-machine cloud
        └── MissingRequirement   what the machine lacks, in words
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
    """The one-machine cloud could not do what it was asked to."""


class MissingRequirement(SandboxError):
    """This machine lacks something that the sandbox needs."""

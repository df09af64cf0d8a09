"""The flavors that select what the provider makes of a machine."""

from __future__ import annotations

HOLLOW = "sandbox.node"
# A worker with this flavor runs containers.
REAL = "sandbox.real"
# So does one worker with this flavor, if its bay has no other that does. All
# others are hollow, as in the bays of the sandbox's own driver.
ONE_REAL = "sandbox.one-real"
# These fail on purpose.
NO_HOST = "sandbox.no-host"
LATE = "sandbox.late"
UNINITIALIZED = "sandbox.uninitialized"
NO_CONTROL_PLANE = "sandbox.no-control-plane"
# The age of a machine with the flavor LATE at which its node registers.
LATE_S = 45.0
NO_HOST_MESSAGE = (
    "No valid host was found. There are not enough hosts available."
)

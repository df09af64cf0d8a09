"""Allowed values of the options of a load."""

from __future__ import annotations

PULL_POLICIES = ("Always", "IfNotPresent", "Never")
SPREADS = ("preferred", "required", "none")
SERVICE_ADDRESS = "service"
POD_ADDRESS = "pod"
TARGET_ADDRESSES = (SERVICE_ADDRESS, POD_ADDRESS)

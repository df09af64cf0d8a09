"""Ports of the pods of a load."""

from __future__ import annotations

TARGET_PORT = 8080
# Port of the request counts, if the other port serves only TLS.
STATUS_PORT = 8081
MASTER_PORT = 5557

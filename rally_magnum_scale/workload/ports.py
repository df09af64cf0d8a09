"""Where the pods of a load listen."""

from __future__ import annotations

TARGET_PORT = 8080
# Of the counts, where the other port speaks TLS only.
STATUS_PORT = 8081
MASTER_PORT = 5557

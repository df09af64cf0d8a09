"""The sandbox that a benchmark makes its bays in."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from rally_magnum_sandbox import down
from rally_magnum_sandbox import openstack
from rally_magnum_sandbox import secrets_file
from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_sandbox import up
from rally_magnum_scale.bays import lifecycle

LOCUST_IMAGE = "rally-magnum-sandbox/locust:2.47.0"
NGINX_IMAGE = "rally-magnum-sandbox/nginx:1.22"


@contextlib.contextmanager
def bays() -> Iterator[lifecycle.Bays]:
    """Use the sandbox that is up, or bring one up for the benchmark."""
    settings = sandbox_settings.from_environment()
    was_up = up.is_up(settings)
    up.up(settings, say)
    try:
        secrets = secrets_file.ensure(settings.state_dir)
        session = openstack.admin_session(settings, secrets)
        yield lifecycle.Bays(lifecycle.connect(session, None, "public"), say)
    finally:
        if not was_up:
            down.down(settings, say)


def say(line: str) -> None:
    """Tell how far the benchmark is."""
    sys.stderr.write(f"{line}\n")

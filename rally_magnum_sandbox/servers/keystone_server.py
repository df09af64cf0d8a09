"""Keystone's own WSGI application under waitress.

Usage: ``python -m rally_magnum_sandbox.servers.keystone_server CONF PORT``.
The first start creates the schema, the keys and the administrator, with the
password from ``SANDBOX_ADMIN_PASSWORD``.
"""

from __future__ import annotations

import os
import pathlib
import sys
from typing import Any

from rally_magnum_sandbox.servers import wsgi


def main() -> None:
    """Prepare Keystone on the first start, and serve it."""
    conf, port = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    prepared = conf.with_name("prepared")
    # Keystone parses sys.argv when it is imported.
    sys.argv = ["keystone"]
    if not prepared.exists():
        _prepare_apart(conf, port)
        prepared.touch()
    os.environ["OS_KEYSTONE_CONFIG_DIR"] = str(conf.parent)
    os.environ["OS_KEYSTONE_CONFIG_FILES"] = conf.name

    from keystone.wsgi.api import application

    wsgi.serve(application, "keystone", port, threads=8)


def _prepare_apart(conf: pathlib.Path, port: int) -> None:
    # keystone-manage and the application each parse their configuration, and
    # one process can't do that twice. So prepare in a fork.
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            _prepare(conf, port)
            code = 0
        finally:
            sys.stderr.flush()
            os._exit(code)
    if os.waitpid(pid, 0)[1]:
        sys.exit("Could not prepare Keystone; see the traceback above.")


def _prepare(conf: pathlib.Path, port: int) -> None:
    import traceback

    try:
        from keystone.cmd import cli

        cli.main(["keystone-manage", "--config-file", str(conf), "db_sync"])
        _make_keys()
        _bootstrap(port)
    except BaseException:
        traceback.print_exc()
        raise


def _make_keys() -> None:
    import keystone.conf
    from keystone.common import fernet_utils

    for name in ("fernet_tokens", "credential"):
        folder = getattr(keystone.conf.CONF, name).key_repository
        keys = fernet_utils.FernetUtils(folder, 3, name)
        keys.create_key_directory()
        keys.initialize_key_repository()


def _bootstrap(port: int) -> None:
    from keystone.cmd import bootstrap

    admin: Any = bootstrap.Bootstrapper()
    url = f"http://127.0.0.1:{port}/v3"
    admin.admin_password = os.environ["SANDBOX_ADMIN_PASSWORD"]
    admin.admin_username = admin.project_name = "admin"
    admin.admin_role_name, admin.service_name = "admin", "keystone"
    admin.region_id = "RegionOne"
    admin.immutable_roles = True
    admin.public_url = admin.internal_url = admin.admin_url = url
    admin.bootstrap()


if __name__ == "__main__":
    main()

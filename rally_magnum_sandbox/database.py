"""PostgreSQL, installed from a wheel, for Keystone and Magnum.

SQLite is not enough: with it, 4 of 16 simultaneous creates failed.
PostgreSQL refuses to run as root, so it runs as ``nobody``.
"""

from __future__ import annotations

import os
import pathlib
import pwd
import shutil
import subprocess

from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox import processes
from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_scale import commands
from rally_magnum_scale import waiting

DATABASES = ("keystone", "magnum")
SYSTEM_USER = "nobody"
# A crash of the machine ends the sandbox anyway, so nothing is synced to
# disk. If only PostgreSQL crashes, no committed data is lost as long as it has
# left the process, so commits stay synchronous.
OPTIONS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "on",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "unix_socket_directories": "",
    "listen_addresses": sandbox_settings.HOST,
}


def url(settings: sandbox_settings.Settings, password: str) -> str:
    """Return the server's SQLAlchemy URL, without a database."""
    return (
        f"postgresql+psycopg2://postgres:{password}@"
        f"{sandbox_settings.HOST}:{settings.postgres_port}"
    )


def ensure(
    settings: sandbox_settings.Settings,
    bin_dir: pathlib.Path,
    password: str,
) -> bool:
    """Start PostgreSQL, with its data folder and databases if missing.

    :param settings: of the sandbox
    :param bin_dir: the folder of PostgreSQL's programs
    :param password: of its administrator
    :returns: whether it was started
    :raises SandboxError: if a program of PostgreSQL fails
    """
    data = settings.state_dir / "postgres" / "data"
    if not (data / "complete").exists():
        _make_data(settings, bin_dir, data, password)
    server = _server(settings, bin_dir, data)
    if processes.find(settings, server.name) is None:
        # PostgreSQL would take a zombie of a killed server for a live one.
        # After this kill, no old server is left, so the pid file can go.
        processes.end(settings, server.name)
        (data / "postmaster.pid").unlink(missing_ok=True)
    started = processes.ensure(server, settings)
    # After a crash, PostgreSQL listens before it has replayed its log.
    waiting.wait_for(
        lambda: _ready(settings, bin_dir),
        what="PostgreSQL to accept connections",
        deadline_s=120,
        interval_s=0.1,
    )
    if not (data / "databases").exists():
        for name in DATABASES:
            _make_database(settings, bin_dir, name, password)
        (data / "databases").touch()
    return started


def _server(
    settings: sandbox_settings.Settings,
    bin_dir: pathlib.Path,
    data: pathlib.Path,
) -> processes.Server:
    options = OPTIONS | {"port": str(settings.postgres_port)}
    flags = [f"--{name}={value}" for name, value in options.items()]
    command = [str(bin_dir / "postgres"), "-D", str(data), *flags]
    return processes.Server(
        "postgres",
        settings.postgres_port,
        tuple(_as_system_user(command)),
        _environment(),
    )


def _ready(
    settings: sandbox_settings.Settings, bin_dir: pathlib.Path
) -> bool | None:
    port = str(settings.postgres_port)
    command = [str(bin_dir / "pg_isready"), "-q", "-h"]
    command += [sandbox_settings.HOST, "-p", port]
    done = subprocess.run(command, env=_environment(), check=False)
    return True if done.returncode == 0 else None


def _make_data(
    settings: sandbox_settings.Settings,
    bin_dir: pathlib.Path,
    data: pathlib.Path,
    password: str,
) -> None:
    user = pwd.getpwnam(SYSTEM_USER)
    if data.exists():
        shutil.rmtree(data)
    data.parent.mkdir(exist_ok=True)
    os.chown(data.parent, user.pw_uid, user.pw_gid)
    secret = data.parent / "password"
    secret.touch(mode=0o600)
    secret.write_text(password)
    os.chown(secret, user.pw_uid, user.pw_gid)
    _check_reach(bin_dir, settings)
    flags = ["--username=postgres", "--auth=scram-sha-256", "--no-sync"]
    flags += ["--encoding=UTF8", "--locale=C", f"--pwfile={secret}"]
    commands.run(
        _as_system_user([str(bin_dir / "initdb"), "-D", str(data), *flags]),
        what="create PostgreSQL's data folder",
        log_file=settings.logs_dir / "initdb.log",
        deadline_s=120,
        env=_environment(),
    )
    (data / "complete").touch()


def _check_reach(
    bin_dir: pathlib.Path, settings: sandbox_settings.Settings
) -> None:
    for target in (bin_dir, settings.state_dir):
        for folder in (target, *target.parents):
            if not folder.stat().st_mode & 0o001:
                raise exceptions.SandboxError(
                    f"PostgreSQL runs as {SYSTEM_USER}, which has no access "
                    f"to {folder}. Allow access with `chmod o+x`, or set "
                    f"{sandbox_settings.STATE_VARIABLE} and "
                    f"{sandbox_settings.CACHE_VARIABLE} to other folders."
                )


def _make_database(
    settings: sandbox_settings.Settings,
    bin_dir: pathlib.Path,
    name: str,
    password: str,
) -> None:
    script = (
        "SELECT format('CREATE DATABASE %I', wanted) "
        "FROM (VALUES (:'database')) AS databases (wanted) WHERE NOT EXISTS "
        "(SELECT FROM pg_database WHERE datname = wanted) \\gexec\n"
    )
    file = settings.state_dir / "run" / f"{name}.sql"
    file.write_text(script)
    commands.run(
        [
            str(bin_dir / "psql"),
            *(
                "-X",
                "-v",
                "ON_ERROR_STOP=1",
                "-v",
                f"database={name}",
                "-U",
                "postgres",
            ),
            *("-h", sandbox_settings.HOST),
            *("-p", str(settings.postgres_port), "-f", str(file)),
        ],
        what=f"create the database {name}",
        log_file=settings.logs_dir / "psql.log",
        deadline_s=60,
        env=_environment() | {"PGPASSWORD": password},
    )


def _as_system_user(command: list[str]) -> list[str]:
    user = pwd.getpwnam(SYSTEM_USER)
    identity = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}"]
    return ["setpriv", *identity, "--clear-groups", "--", *command]


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}

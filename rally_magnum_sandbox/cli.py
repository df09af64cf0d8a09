"""The command ``rally-magnum-sandbox``."""

from __future__ import annotations

import argparse
import os
import pathlib
import sys
from collections.abc import Sequence
from dataclasses import replace

from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox import fault_cli
from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_scale import commands
from rally_magnum_scale import interruption

EXIT_FAILED = 1
EXIT_MISSING = 3
EXIT_INTERRUPTED = 130
DESCRIPTION = """\
A cloud on one machine: Keystone, Magnum and bays of real Kubernetes, with
hollow nodes and at least one real node. Only for tests and demonstrations.
"""
EPILOG = f"""\
Environment: {sandbox_settings.STATE_VARIABLE} (the sandbox's files, default
{sandbox_settings.DEFAULT_STATE_DIR}), {sandbox_settings.CACHE_VARIABLE}
(downloads and builds that are kept, default
{sandbox_settings.DEFAULT_CACHE_DIR}), {sandbox_settings.PORT_VARIABLE} (the
first of four ports on 127.0.0.1, for Keystone, Magnum, the stub and
PostgreSQL, and of six more for Cluster API, default \
{sandbox_settings.DEFAULT_FIRST_PORT}), {sandbox_settings.EARLY_VARIABLE} \
(0: Cluster API's
provider reports a bay's infrastructure before its control plane is up),
{sandbox_settings.BINARIES_VARIABLE} (same as --kubernetes-binaries),
{sandbox_settings.NUMBER_VARIABLE} (0 to {sandbox_settings.SANDBOXES - 1}, \
default 0: each number is
a separate sandbox with its own folder, ports and addresses, so that several
sandboxes can run at the same time). Exit status: 0 on success, 1 if something
failed, 3 if the machine lacks a requirement, 130 after Ctrl-C. `run` and
`demo` return the exit status of the program that they ran.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    :param arguments: command-line arguments; default ``sys.argv``
    :returns: the exit status
    """
    options = _parser().parse_args(arguments)
    _bypass_proxies()
    handlers = interruption.install()
    try:
        code = _dispatch(options, sandbox_settings.from_environment())
        sys.stdout.flush()
        return code  # noqa: TRY300 - a flush can fail like a print
    except exceptions.Interrupted as error:
        _print_error(error)
        return EXIT_INTERRUPTED
    except exceptions.MissingRequirement as error:
        _print_error(error)
        return EXIT_MISSING
    except exceptions.ScaleError as error:
        _print_error(error)
        return EXIT_FAILED
    except BrokenPipeError:
        # The reader, such as head, closed the pipe: flush nothing more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except PermissionError as error:
        _print_error(
            exceptions.MissingRequirement(
                f"Permission denied on {error.filename}: the sandbox belongs "
                "to root. Run the command with sudo."
            )
        )
        return EXIT_MISSING
    finally:
        interruption.restore(handlers)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="rally-magnum-sandbox", description=DESCRIPTION, epilog=EPILOG
    )
    commands = parser.add_subparsers(dest="command", required=True)
    _add_versions(
        commands.add_parser(
            "up", help="install and start everything that is missing"
        )
    )
    _add_versions(
        commands.add_parser("prepare", help="fill the cache for a later up")
    )
    status = commands.add_parser(
        "status", help="show servers, bays, memory and disk usage"
    )
    status.add_argument(
        "--json", action="store_true", help="print JSON instead of tables"
    )
    run = commands.add_parser(
        "run", help="run a program with the sandbox's environment variables"
    )
    run.add_argument("program", help="the program to run, after --")
    run.add_argument("arguments", nargs=argparse.REMAINDER)
    commands.add_parser("down", help="remove everything except the cache")
    commands.add_parser("purge", help="remove everything and the cache")
    fault_cli.add_arguments(
        commands.add_parser("fault", help="make the sandbox misbehave")
    )
    _add_demo(
        commands.add_parser(
            "demo",
            help="start the sandbox, run a Rally task, write its reports, "
            "and remove the sandbox",
        )
    )
    return parser


def _add_versions(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--magnum",
        choices=sandbox_settings.MAGNUM_VERSIONS,
        help="the version of Magnum (default: that of the sandbox if there "
        f"is one, otherwise {sandbox_settings.DEFAULT_MAGNUM_VERSION})",
    )
    parser.add_argument(
        "--driver",
        choices=sandbox_settings.MORE_DRIVERS,
        help="a further driver for Magnum, which a template can choose: "
        "capi-helm is magnum-capi-helm with Cluster API; the sandbox keeps it "
        "until down",
    )
    parser.add_argument(
        "--kubernetes-binaries",
        metavar="PATH",
        help="a folder with the official etcd, kube-apiserver, "
        "kube-controller-manager, kube-scheduler, kubelet, kube-proxy and "
        "kwok, or one binary that contains all of them; new bays use these "
        "binaries, and Kubernetes is not built",
    )


def _add_demo(demo: argparse.ArgumentParser) -> None:
    _add_versions(demo)
    samples = pathlib.Path("samples")
    demo.add_argument(
        "--task",
        type=pathlib.Path,
        default=samples / "tasks" / "2m-rps.json",
        help="the Rally task file (default %(default)s)",
    )
    demo.add_argument(
        "--args",
        type=pathlib.Path,
        default=samples / "args" / "sandbox.json",
        help="the file with the task's arguments (default %(default)s)",
    )
    demo.add_argument(
        "--reports",
        type=pathlib.Path,
        default=pathlib.Path("reports"),
        help="the folder for the HTML reports (default %(default)s)",
    )
    demo.add_argument(
        "--keep", action="store_true", help="keep the sandbox afterwards"
    )


def _dispatch(
    options: argparse.Namespace, settings: sandbox_settings.Settings
) -> int:
    # Each command imports its own modules, so that `run` and `--help` do not
    # wait for imports that only the other commands need.
    settings = sandbox_settings.with_binaries(
        settings, getattr(options, "kubernetes_binaries", None)
    )
    settings = replace(
        settings,
        magnum=getattr(options, "magnum", None),
        driver=getattr(options, "driver", None),
    )
    if options.command == "run":
        return _run(options, settings)
    if options.command == "status":
        return _status(options, settings)
    if options.command == "fault":
        fault_cli.run(options, settings)
        return 0
    progress = commands.Progress()
    if options.command == "demo":
        return _demo(options, settings, progress)
    _require_root()
    if options.command in ("down", "purge"):
        with interruption.deferred():
            _remove(options.command, settings, progress)
        return 0
    from rally_magnum_sandbox import up

    action = up.up if options.command == "up" else up.prepare
    action(settings, progress)
    return 0


def _status(
    options: argparse.Namespace, settings: sandbox_settings.Settings
) -> int:
    from rally_magnum_sandbox import status
    from rally_magnum_sandbox import status_text

    found = status.read(settings)
    if options.json:
        print(status_text.as_json(found))
    else:
        print("\n".join(status_text.lines(found)))
    return 0


def _remove(
    command: str,
    settings: sandbox_settings.Settings,
    progress: commands.Progress,
) -> None:
    from rally_magnum_sandbox import down
    from rally_magnum_sandbox import purge

    if command == "purge":
        purge.purge(settings, progress)
    else:
        down.down(settings, progress)


def _run(
    options: argparse.Namespace, settings: sandbox_settings.Settings
) -> int:
    from rally_magnum_sandbox import client_environment
    from rally_magnum_sandbox import cloud
    from rally_magnum_sandbox import secrets_file

    cloud.require_up(settings)
    secrets = secrets_file.ensure(settings.state_dir)
    env = client_environment.variables(settings, secrets)
    command = [options.program, *options.arguments]
    if command[0] == "--":
        command.pop(0)
    # The program replaces this process, so that it gets the signals itself
    # and its exit status is returned unchanged.
    sys.stdout.flush()
    try:
        os.execvpe(command[0], command, env)  # noqa: S606
    except OSError as error:
        raise exceptions.SandboxError(
            f"Could not run {command[0]} in the sandbox: {error.strerror}."
        ) from error


def _demo(
    options: argparse.Namespace,
    settings: sandbox_settings.Settings,
    progress: commands.Progress,
) -> int:
    from rally_magnum_sandbox import demo

    what = demo.Demo(options.task, options.args, options.reports, options.keep)
    return demo.demo(settings, what, progress)


def _bypass_proxies() -> None:
    for name in ("NO_PROXY", "no_proxy"):
        known = [os.environ.get(name, ""), sandbox_settings.NO_PROXY]
        os.environ[name] = ",".join(filter(None, known))


def _require_root() -> None:
    if os.geteuid() != 0:
        raise exceptions.MissingRequirement(
            "The sandbox must run as root, but the current user has the uid "
            f"{os.geteuid()}. Run the command with sudo."
        )


def _print_error(error: Exception) -> None:
    print(f"rally-magnum-sandbox: {error}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

"""Processes of Locust that start at once; see ``locust_server``."""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

_SERVER = Path(__file__).with_name("locust_server.py")


class LocustProcess:
    """A Locust, with what a test wants of a ``subprocess.Popen``.

    :param orders: the server's socket
    :param arguments: of Locust's command
    :param env: its whole environment
    :param folder: in which it runs
    :param err: the file of its standard error
    :param out: the file of its standard output, None for a pipe
    :param before: Python that runs before Locust's command does
    """

    def __init__(
        self, orders, arguments, *, env, folder, err, out=None, before=""
    ):
        self.returncode = None
        self.stdout = None
        order = {
            "arguments": arguments,
            "env": env,
            "folder": str(folder),
            "before": before,
        }
        self._connection, its = socket.socketpair()
        if out is None:
            read, write = os.pipe()
            # A line is read, then all the rest: keep nothing back.
            self.stdout = os.fdopen(read, "rb", buffering=0)
        else:
            write = os.dup(out.fileno())
        with its:
            socket.send_fds(
                orders,
                [json.dumps(order).encode()],
                [write, err.fileno(), its.fileno()],
            )
        os.close(write)
        self._told = self._connection.makefile("rb")
        self.pid = int(self._told.readline())

    def poll(self):
        """Return how it ended, None as long as it runs."""
        if self.returncode is None and _is_readable(self._connection, 0):
            self.returncode = int(self._told.readline())
        return self.returncode

    def wait(self, timeout):
        """Wait until it has ended; return how.

        :raises TimeoutExpired: when that takes longer than the timeout
        """
        if self.returncode is None and not _is_readable(
            self._connection, timeout
        ):
            raise subprocess.TimeoutExpired("locust", timeout)
        return self.poll()

    def send_signal(self, number):
        """Send a signal to it if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self):
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self):
        """End it."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout):
        """Return all that it still writes, and nothing, when it has ended.

        :raises TimeoutExpired: when that takes longer than the timeout
        """
        end_s = time.monotonic() + timeout
        pieces = [b"more"]
        while pieces[-1]:
            left_s = max(0, end_s - time.monotonic())
            if not _is_readable(self.stdout, left_s):
                raise subprocess.TimeoutExpired("locust", timeout)
            pieces.append(self.stdout.read(65536))
        self.wait(max(0, end_s - time.monotonic()))
        return b"".join(pieces[1:]), None

    def close(self):
        """End it, and give back what belongs to it."""
        self.kill()
        self.wait(10)
        self._told.close()
        self._connection.close()
        if self.stdout:
            self.stdout.close()


def _is_readable(file, timeout_s):
    return bool(select.select([file], [], [], timeout_s)[0])


@contextlib.contextmanager
def serving():
    """Run a server; yield the socket of its orders.

    All that it has forked ends with it.
    """
    # One order is one packet.
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with subprocess.Popen([sys.executable, str(_SERVER)], stdin=its):
        its.close()
        with ours:
            yield ours

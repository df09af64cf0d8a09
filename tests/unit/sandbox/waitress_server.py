"""A waitress server on loopback, as the sandbox's servers use it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import waitress
from waitress import wasyncore


@contextlib.contextmanager
def serve(application: Any) -> Iterator[int]:
    """Serve a WSGI application for as long as the context is open.

    :returns: the port
    """
    sockets: dict[int, Any] = {}
    server = waitress.create_server(
        application, map=sockets, host="127.0.0.1", port=0
    )
    stopped = threading.Event()

    def work() -> None:
        while not stopped.is_set():
            wasyncore.loop(timeout=0.01, map=sockets, count=1)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield server.effective_port
    finally:
        stopped.set()
        thread.join()
        server.task_dispatcher.shutdown()
        wasyncore.close_all(sockets)

"""Serve a WSGI application under waitress, with the sandbox's faults."""

from __future__ import annotations

import http
import time
from collections.abc import Callable
from collections.abc import Iterable
from typing import Any

import waitress
import waitress.channel
import webob

from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_sandbox.servers import faults as sandbox_faults

MESSAGE = "The sandbox injected this fault."
HTML = """\
<html><head><title>{status}</title></head>
<body><center><h1>{status}</h1></center></body></html>
"""


def serve(application: Any, service: str, port: int, threads: int) -> None:
    """Serve an application on 127.0.0.1, until the process ends.

    :param application: a WSGI application
    :param service: its name in the faults
    :param port: to listen on
    :param threads: number of requests that are served at the same time
    """
    settings = sandbox_settings.from_environment()
    faults = sandbox_faults.Faults(settings.faults_file)
    waitress.serve(
        FaultInjection(application, service, faults),
        host=sandbox_settings.HOST,
        port=port,
        threads=threads,
        connection_limit=1000,
        backlog=512,
    )


class FaultInjection:
    """WSGI middleware that makes requests fail.

    :param application: the WSGI application
    :param service: its name in the faults
    :param faults: of the sandbox
    :param sleep: waits for so many seconds
    """

    def __init__(
        self,
        application: Any,
        service: str,
        faults: sandbox_faults.Faults,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._application = application
        self._service = service
        self._faults = faults
        self._sleep = sleep

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        request = webob.Request(environ)
        fault = self._faults.hit(self._service, request.method, request.path)
        answer = self._inject(fault, request) if fault else self._application
        response: Iterable[bytes] = answer(environ, start_response)
        return response

    def _inject(self, fault: sandbox_faults.Fault, request: Any) -> Any:
        """Return the application that answers instead."""
        answer = self._application
        if fault.applied or fault.kind == sandbox_faults.TRUNCATED:
            answer = request.get_response(self._application)
        match fault.kind:
            case sandbox_faults.LATE:
                self._sleep(fault.delay_s)
                return answer
            case sandbox_faults.TRUNCATED:
                answer.body = answer.body[: len(answer.body) // 2]
                return answer
            case sandbox_faults.RESET:
                # waitress then closes the connection without a response.
                raise waitress.channel.ClientDisconnected
        return _error(fault, self._service)


def _error(fault: sandbox_faults.Fault, service: str) -> Any:
    status = http.HTTPStatus(int(fault.kind))
    response = webob.Response(status=int(status))
    if fault.html:
        response.text = HTML.format(status=response.status)
    elif service == "magnum":
        error = {"status": status, "title": status.phrase, "detail": MESSAGE}
        response.json_body = {"errors": [error]}
    else:
        error = {"code": status, "title": status.phrase, "message": MESSAGE}
        response.json_body = {"error": error}
    if not fault.html:
        response.content_type = "application/json"
    if fault.retry_after_s is not None:
        response.headers["Retry-After"] = str(fault.retry_after_s)
    return response

"""TLS on the real sockets of the engine, which never block.

gevent replaces the classes of ``ssl``, and the original classes, which
refer to each other, then break.  So this module uses the layer below both: a
context of ``_ssl``, and the objects that it creates for sockets.
"""

from __future__ import annotations

import ssl
from typing import Any

from gevent import monkey

from rally_magnum_scale.in_bay.job import Trust

EPOLLIN = 0x001
EPOLLOUT = 0x004

_Context: Any = monkey.get_original("ssl", "SSLContext")
_NOT_NOW = (ssl.SSLWantReadError, ssl.SSLWantWriteError)
ENDED = (ssl.SSLZeroReturnError, ssl.SSLEOFError, ssl.SSLSyscallError)


class Client:
    """The TLS context that all connections of a worker share.

    :param trust: how to verify the targets' certificates
    """

    def __init__(self, trust: Trust) -> None:
        # By default, it verifies the certificate and the name.
        self._context = _Context(ssl.PROTOCOL_TLS_CLIENT)
        self._context.load_verify_locations(cadata=trust.ca_pem)
        self._server_name = trust.server_name

    def wrap(self, socket: Any) -> TlsSocket:
        """Wrap the socket of an established connection; no handshake yet.

        :param socket: non-blocking socket of the operating system
        """
        below = self._context._wrap_socket(socket, False, self._server_name)
        return TlsSocket(socket, below)


class TlsSocket:
    """The socket methods that the engine uses, over TLS.

    :param socket: the plain socket
    :param below: OpenSSL's object for the socket
    """

    def __init__(self, socket: Any, below: Any) -> None:
        self._socket = socket
        self._read = below.read
        self._write = below.write
        self._pending = below.pending
        self._do_handshake = below.do_handshake

    def shake_hands(self) -> int:
        """Continue the handshake.

        :returns: the epoll events to wait for; 0 when it is complete
        :raises SSLError: when the certificate is not trusted, or the peer
            does not use TLS
        """
        try:
            self._do_handshake()
        except ssl.SSLWantReadError:
            return EPOLLIN
        except ssl.SSLWantWriteError:
            return EPOLLOUT
        return 0

    def recv(self, size: int) -> bytes:
        """Return received data; empty at the end of the connection.

        epoll does not report data that OpenSSL has already buffered, so this
        method returns it as well.

        :raises BlockingIOError: when no data has arrived
        """
        try:
            data: bytes = self._read(size)
            while held := self._pending():
                data += self._read(held)
        except _NOT_NOW:
            raise BlockingIOError from None
        except ENDED:
            return b""
        return data

    def send(self, data: bytes) -> int:
        """Send a part of the data; return the number of bytes.

        :raises BlockingIOError: when the socket accepts no data now
        """
        try:
            sent: int = self._write(data)
        except _NOT_NOW:
            raise BlockingIOError from None
        return sent

    def close(self) -> None:
        """Close the connection without a TLS close_notify."""
        self._socket.close()

"""TLS on the real sockets of the engine, which never block.

gevent puts its own classes in the place of those of ``ssl``, and the
originals, which name each other, then break.  So this is on what is below
both of them, as they are: a context of ``_ssl``, and what it makes of a
socket.
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
    """What all connections of a worker share.

    :param trust: what their targets must show
    """

    def __init__(self, trust: Trust) -> None:
        # It verifies certificate and name unless told otherwise.
        self._context = _Context(ssl.PROTOCOL_TLS_CLIENT)
        self._context.load_verify_locations(cadata=trust.ca_pem)
        self._server_name = trust.server_name

    def wrap(self, socket: Any) -> TlsSocket:
        """Return a socket on a connection that stands, before its handshake.

        :param socket: a real one, which does not block
        """
        below = self._context._wrap_socket(socket, False, self._server_name)
        return TlsSocket(socket, below)


class TlsSocket:
    """As much of a socket as the engine uses.

    :param socket: the plain one
    :param below: what OpenSSL made of it
    """

    def __init__(self, socket: Any, below: Any) -> None:
        self._socket = socket
        self._read = below.read
        self._write = below.write
        self._pending = below.pending
        self._do_handshake = below.do_handshake

    def shake_hands(self) -> int:
        """Go on with the handshake.

        :returns: what of epoll to wait for, 0 when it is done
        :raises SSLError: when the certificate is not trusted, or not TLS
        """
        try:
            self._do_handshake()
        except ssl.SSLWantReadError:
            return EPOLLIN
        except ssl.SSLWantWriteError:
            return EPOLLOUT
        return 0

    def recv(self, size: int) -> bytes:
        """Return what has come, nothing at the end of the connection.

        What OpenSSL holds already would wake no epoll, so it is taken too.

        :raises BlockingIOError: when nothing has
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
        """Send some of it; return how many bytes.

        :raises BlockingIOError: when it takes none now
        """
        try:
            sent: int = self._write(data)
        except _NOT_NOW:
            raise BlockingIOError from None
        return sent

    def close(self) -> None:
        """Close the connection, without the farewell of TLS."""
        self._socket.close()

"""Browsers' sockets as uvicorn serves them, and an end to those whose other end reads nothing."""

from __future__ import annotations

import asyncio
import socket
from typing import Final, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

#: What the kernel keeps for a socket. It would grow to megabytes for one that is not read, which are tens of thousands
#: of hints that are neither bounded nor coalesced: those wait in the mailbox.
KERNEL_BYTES: Final = 32_768


class PatientSocket(WebSocketsSansIOProtocol):
    """Holds little for whoever reads nothing, and drops them with the first ping that is not answered."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take over the connection of a request that asked for a socket."""
        plain = cast("socket.socket", transport.get_extra_info("socket"))
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES)
        super().connection_made(transport)

    def keepalive_timeout(self) -> None:
        """End the socket. A plain close would first wait for what was written to be read: for ever."""
        is_unread = self.transport.get_write_buffer_size() > 0
        super().keepalive_timeout()
        if is_unread:
            self.transport.abort()

"""HTTP connections that a slow or idle client cannot hold for ever."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_SECONDS = 30.0
"""In which a request must arrive completely, or the first one begin."""
READING_SECONDS = 120.0
"""In which a client must take what is sent before more can be sent."""
MAX_CONNECTIONS_PER_ADDRESS = 512
"""A proxy has one address for all its users."""


class GuardedProtocol(H11Protocol):
    """Closes connections whose request does not arrive or whose answer is not read in time, and
    refuses more connections of an address than allowed."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._request_timer: asyncio.TimerHandle | None = None
        self._reading_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        clients = [getattr(other, "client", None) for other in self.connections]
        own_host = self.client and self.client[0]
        if sum(client is not None and client[0] == own_host for client in clients) > (
            MAX_CONNECTIONS_PER_ADDRESS
        ):
            self._refuse(503, "Service Unavailable")
        else:
            self._request_timer = self.loop.call_later(REQUEST_SECONDS, self._give_up_request)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self._is_request_incomplete():
            self._stop_request_timer()
        elif self._request_timer is None:
            self._request_timer = self.loop.call_later(REQUEST_SECONDS, self._give_up_request)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._reading_timer = self.loop.call_later(READING_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_reading_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_request_timer()
        self._stop_reading_timer()
        super().connection_lost(exc)

    def _is_request_incomplete(self) -> bool:
        """Whether a part of a request is missing: of its head or of its body."""
        state = self.conn.their_state
        return state is h11.SEND_BODY or (state is h11.IDLE and bool(self.conn.trailing_data[0]))

    def _give_up_request(self) -> None:
        is_answering = self.cycle is not None and not self.cycle.response_complete
        if is_answering:
            self.transport.abort()
        else:
            self._refuse(408, "Request Timeout")

    def _refuse(self, status: int, reason: str) -> None:
        head = f"HTTP/1.1 {status} {reason}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
        self.transport.write(head.encode("ascii"))
        self.transport.close()

    def _stop_request_timer(self) -> None:
        if self._request_timer is not None:
            self._request_timer.cancel()
            self._request_timer = None

    def _stop_reading_timer(self) -> None:
        if self._reading_timer is not None:
            self._reading_timer.cancel()
            self._reading_timer = None

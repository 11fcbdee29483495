"""uvicorn's websocket protocol, which gives back its connection's place when it ends."""

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from periplus_hub.kit.seats import STATE


class SeatedSocketProtocol(WebSocketsSansIOProtocol):
    """The HTTP protocol that took the connection hears nothing of it any more."""

    def connection_lost(self, exc: Exception | None) -> None:
        """The place is free."""
        self.app_state[STATE].leave()
        super().connection_lost(exc)

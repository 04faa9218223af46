"""How a worker of gunicorn serves HTTP."""

import asyncio
import gc
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn_worker import UvicornWorker

MAX_HEAD = 64 * 1024
# A batch makes thousands of objects and no cycles. The usual threshold of 700 would look for some at every turn.
COLLECT_AFTER = (50_000, 20, 20)


class JoiningTransport:
    """Sends what is written in one turn of the event loop in one piece: the head of an answer with its body.

    Each piece is a call of the kernel and wakes the client; for small answers that is most of what they cost.
    """

    def __init__(self, transport: Any) -> None:
        self.transport = transport
        self.loop = asyncio.get_running_loop()
        self.parts: list[bytes] = []

    def write(self, data: bytes) -> None:
        if not self.parts:
            self.loop.call_soon(self.flush)
        self.parts.append(data)

    def flush(self) -> None:
        if self.parts:
            self.transport.write(b"".join(self.parts))
            self.parts.clear()

    def close(self) -> None:
        self.flush()
        self.transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transport, name)


class Protocol(HttpToolsProtocol):
    """The parser itself would collect a head without an end until memory is full."""

    is_in_head = False
    heads = 0
    head_size = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(JoiningTransport(transport))  # type: ignore[arg-type]

    def on_message_begin(self) -> None:
        self.is_in_head = True
        self.heads += 1
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self.is_in_head = False
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        heads = self.heads
        super().data_received(data)
        # The piece in which a head begins may hold the body before it, too.
        is_same_head = self.is_in_head and self.heads == heads
        self.head_size = self.head_size + len(data) if is_same_head else 0
        if self.head_size > MAX_HEAD and not self.transport.is_closing():
            self.send_400_response("The head of the request is too long.")


class Worker(UvicornWorker):
    """Django itself reads what a proxy says of the client; nobody else needs to."""

    CONFIG_KWARGS = {
        "loop": "uvloop",
        "http": Protocol,
        "ws": "none",
        "interface": "asgi3",
        "lifespan": "off",
        "proxy_headers": False,
        "server_header": False,
    }

    def run(self) -> None:
        # The application itself stays for good: it is not looked through again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*COLLECT_AFTER)
        super().run()

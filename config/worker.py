"""How a worker of gunicorn serves HTTP."""

from uvicorn_worker import UvicornWorker


class Worker(UvicornWorker):
    """Django itself reads what a proxy says of the client; nobody else needs to."""

    CONFIG_KWARGS = {
        "loop": "uvloop",
        "http": "httptools",
        "ws": "none",
        "interface": "asgi3",
        "lifespan": "off",
        "proxy_headers": False,
        "server_header": False,
    }

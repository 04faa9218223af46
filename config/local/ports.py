"""Which port the web server gets, and on which addresses of this machine."""

import os
import socket
from contextlib import suppress

DEFAULT = 8000


class PortError(Exception):
    """The port cannot be had; the message says which to set instead."""


def wanted() -> int:
    """The port of the environment, or the default."""
    text = os.environ.get("PORT") or str(DEFAULT)
    if not text.isdigit() or not 0 < int(text) < 2**16:
        raise PortError(f"PORT={text} is no port: set a number between 1 and 65535.")
    return int(text)


def free_hosts(port: int) -> list[str]:
    """The loopback addresses to bind: IPv4, and IPv6 where there is one, for browsers that ask ::1 first.

    Both must be free: with a stranger on one of them a browser would now and then reach him.
    """
    hosts = ["127.0.0.1"]
    _claim(socket.AF_INET, "127.0.0.1", port)
    if _has_ipv6():
        _claim(socket.AF_INET6, "::1", port)
        hosts.append("[::1]")
    return hosts


def _claim(family: socket.AddressFamily, host: str, port: int) -> None:
    with socket.socket(family) as probe:
        # As the web server will: connections of a former run that are still closing are no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError:
            raise PortError(f"Port {port} needs privileges. Choose another: PORT=8000 make run") from None
        except OSError:
            taken = f"Port {port} is taken by another program."
            raise PortError(f"{taken} Choose another: PORT={port + 1} make run") from None


def _has_ipv6() -> bool:
    with suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return True
    return False

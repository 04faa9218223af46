"""The embedded broker, each time a real one."""

import os
import signal
from pathlib import Path
from urllib.parse import quote

from kombu import Connection

from config.local.broker import Broker
from config.local.lease import lease


def test_keeps_its_tasks_through_a_kill(place: Path) -> None:
    broker = Broker(place / "broker")
    url = "redis+socket://" + quote(str(broker.socket))
    with lease(broker):
        with Connection(url) as connection, connection.SimpleQueue("tasks") as queue:
            queue.put({"invoice": 7})
        pid = int((broker.home / "process").read_text().partition(" ")[0])
        os.kill(pid, signal.SIGKILL)
        with (
            lease(broker),
            Connection(url) as connection,
            connection.SimpleQueue("tasks") as queue,
        ):
            assert queue.get(timeout=20).payload == {"invoice": 7}
    assert not broker.socket.exists()

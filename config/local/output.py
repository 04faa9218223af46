"""What the launcher and its children say: prefixed on the terminal, plain in a log file of each child."""

import os
import sys
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from zlib import crc32

from config.local import paths

KEPT_LINES = 200
LOG_BYTES_MAX = 5_000_000
NAME_WIDTH = 8
printing = threading.Lock()
COLOURS = (36, 32, 33, 35, 34, 96, 92, 93)


def say(text: str) -> None:
    """Tell the user something about the whole."""
    _print(_paint(text, 1))


def _print(line: str) -> None:
    # One line at a time. A terminal that was closed must not keep us from what we are about.
    with printing, suppress(OSError):
        print(line, flush=True)


def _paint(text: str, code: int) -> str:
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[{code}m{text}\x1b[0m"


@dataclass
class Lines:
    """The lines of one child. What a step prints on its standard output is its result: kept, not shown."""

    name: str
    keep_output: bool = False
    kept: list[str] = field(default_factory=list)
    _recent: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))

    @property
    def log(self) -> Path:
        return paths.LOGS / f"{self.name}.log"

    def __post_init__(self) -> None:
        paths.LOGS.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES_MAX:
            self.log.replace(self.log.with_suffix(".log.1"))

    def read(self, stream: IO[str], is_output: bool) -> None:
        """Pass a stream on, line by line, to its end. Runs in a thread for each stream."""
        prefix = _paint(f"{self.name:<{NAME_WIDTH}}", COLOURS[crc32(self.name.encode()) % len(COLOURS)])
        with stream, self.log.open("a", encoding="utf-8") as log:
            for raw in stream:
                line = raw.rstrip("\n")
                self._recent.append(line)
                log.write(line + "\n")
                log.flush()
                if is_output and self.keep_output:
                    self.kept.append(line)
                else:
                    _print(f"{prefix} │ {line}")

    def tail(self, count: int) -> list[str]:
        return list(self._recent)[-count:]

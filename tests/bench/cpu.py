"""Who spent the processor's time: seconds of a process and all below it, from /proc. Linux; elsewhere zeros."""

import os
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def seconds_below(root: int) -> float:
    """User and system time of a process and its living descendants, with those that they have waited for."""
    children: dict[int, list[int]] = {}
    spent: dict[int, float] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        pid = int(stat.parent.name)
        children.setdefault(int(fields[1]), []).append(pid)
        # utime, stime, and those of children that ended.
        spent[pid] = sum(map(int, fields[11:15])) / TICK
    found, left = 0.0, [root]
    while left:
        pid = left.pop()
        found += spent.get(pid, 0.0)
        left += children.get(pid, [])
    return found

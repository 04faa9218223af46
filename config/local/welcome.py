"""The box at the end of `make run`: where to go, as whom, where the logs are, how to stop."""

from pathlib import Path
from typing import Any

from config.local import paths


def text(demo: dict[str, Any], *, port: int) -> str:
    """Lay the box out around what seed_demo reported.

    That is {"sign_in": [{"url", "email", "password"}, …], "api_keys": <the file that holds them>}.
    """
    lines = ["Countinghouse is running.", ""]
    people_at: dict[str, list[str]] = {}
    for sign_in in demo.get("sign_in", []):
        people_at.setdefault(sign_in["url"], []).append(
            f"{sign_in['email']}   password: {sign_in['password']}"
        )
    for url, people in (people_at or {f"http://localhost:{port}/admin/": []}).items():
        lines += [url, *(f"    {person}" for person in people)]
    lines.append("")
    if demo.get("api_keys"):
        lines.append(f"API keys:   {_short(Path(demo['api_keys']))}")
    lines.append(f"Logs:       {_short(paths.LOGS)}/")
    lines.append("Stop:       Ctrl-C")
    lines.append("Start over: make reset run")
    width = max(len(line) for line in lines)
    body = [f"│ {line:<{width}} │" for line in lines]
    return "\n".join(["", f"╭{'─' * (width + 2)}╮", *body, f"╰{'─' * (width + 2)}╯"])


def _short(path: Path) -> str:
    return str(path.relative_to(paths.ROOT) if path.is_relative_to(paths.ROOT) else path)

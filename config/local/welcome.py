"""The box at the end of `make run`: where to go, as whom, where the logs are, how to stop."""

from typing import Any

from config.local import paths


def text(demo: dict[str, Any], *, port: int) -> str:
    """Lay the box out. `demo` is what seed_demo reported: {"sign_in": [{"url", "email", "password"}, …]}."""
    lines = ["Countinghouse is running.", ""]
    for sign_in in demo.get("sign_in", []):
        lines.append(str(sign_in.get("url", "")))
        lines.append(f"    {sign_in.get('email', '')}   password: {sign_in.get('password', '')}")
    if not demo.get("sign_in"):
        lines.append(f"http://localhost:{port}/admin/")
    lines += [
        "",
        f"Logs:  {_relative(paths.LOGS)}/   (also printed here)",
        "Stop:  Ctrl-C",
        "Start anew:  make reset run",
    ]
    width = max(len(line) for line in lines)
    body = [f"│ {line:<{width}} │" for line in lines]
    return "\n".join(["", f"╭{'─' * (width + 2)}╮", *body, f"╰{'─' * (width + 2)}╯"])


def _relative(path: Any) -> str:
    return str(path.relative_to(paths.ROOT))

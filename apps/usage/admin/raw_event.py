"""An event as it was sent, for people to read: JSON with every digit as it came, indented."""

import re

import msgspec

from apps.usage.models import UsageEvent

TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},:]|[^\s\[\]{},:"]+')
STEP = "  "
CLOSING = {"[": "]", "{": "}"}


def raw_json(event: UsageEvent) -> str:
    """Identity first, properties last. Time and customer read as they were understood."""
    head = {
        "id": event.event_id,
        **({"source": event.source} if event.source else {}),
        "event": event.event_name,
        "customer": event.customer.external_id or event.customer.public_id,
        "timestamp": event.timestamp.isoformat().replace("+00:00", "Z"),
    }
    text = msgspec.json.encode(head).decode()
    return indented(f'{text[:-1]},"properties":{event.properties_text}}}')


def indented(text: str) -> str:
    """Valid JSON, indented. No value is decoded, so 1.10 stays 1.10 and 1e3 stays 1e3."""
    tokens = TOKEN.findall(text)
    written: list[str] = []
    depth = 0
    for index, token in enumerate(tokens):
        following = tokens[index + 1] if index + 1 < len(tokens) else ""
        if token in CLOSING:
            is_empty = following == CLOSING[token]
            depth += 1
            written.append(token if is_empty else f"{token}\n{STEP * depth}")
        elif token in CLOSING.values():
            depth -= 1
            is_empty = tokens[index - 1] in CLOSING
            written.append(token if is_empty else f"\n{STEP * depth}{token}")
        elif token == ",":
            written.append(f",\n{STEP * depth}")
        else:
            written.append(": " if token == ":" else token)
    return "".join(written)

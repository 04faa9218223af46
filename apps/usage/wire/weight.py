"""How much memory a body takes once it is decoded, before anybody has looked at it.

`{"":{"":…}}` is five bytes a level and takes 184. So not only the length counts, but how many values there may be;
each has one of four signs before it. What the signs weigh was measured (CPython 3.11, msgspec): the estimate is
between the true size and four and a half times that, for events as they are as well as for the worst that was found.
"""

OBJECT, LIST, NEXT, MEMBER = 200, 72, 112, 64
# A text with one character beyond Latin-1 or the basic plane takes two or four bytes for each.
WIDEST = 4


def decoded_size(body: bytes) -> int:
    """Bytes; never less than what the values that were decoded from `body` take."""
    is_narrow = body.isascii() and b"\\u" not in body
    return (
        len(body) * (1 if is_narrow else WIDEST)
        + body.count(b"{") * OBJECT
        + body.count(b"[") * LIST
        + body.count(b",") * NEXT
        + body.count(b":") * MEMBER
    )

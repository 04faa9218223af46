"""What makes two events the same one, and what makes their contents the same."""

import hashlib

from xxhash import xxh3_64_intdigest

SIGN, MODULUS = 1 << 63, 1 << 64
MASK = MODULUS - 1


def event_key(*, source: str, event_id: str) -> str:
    """The identity of an event: 128 bits of a hash of source and id, as 32 hex digits.

    Texts of events hold no NUL, so the separator can't be forged. The time is no part of it.
    """
    return hashlib.blake2b(f"{source}\0{event_id}".encode(), digest_size=16).hexdigest()


def revision_key(*, source: str, event_id: str, revision: int) -> str:
    """The identity of an event that took the place of another one with the same id. Nobody can report it."""
    return hashlib.blake2b(f"{source}\0{event_id}\0{revision}".encode(), digest_size=16).hexdigest()


def content_of(*, event_name: str, customer: str, timestamp: int | None, names: bytes, values: bytes) -> int:
    """64 bits of a hash of what the client sent besides the identity, as PostgreSQL's signed bigint.

    `timestamp` is in microseconds since 1970, and None when the client sent none: the time that the server
    fills in is not the client's content. `names` and `values` are JSON arrays: the names of the properties in
    their order, and the values in the order of names. Two contents of one id that meet in the hash by chance
    would make a contradiction look like a repeat; the first event stays in both cases.
    """
    text = f"{event_name}\0{customer}\0".encode() + names + values
    unsigned = xxh3_64_intdigest(text, 0 if timestamp is None else timestamp & MASK)
    return unsigned - MODULUS if unsigned >= SIGN else unsigned

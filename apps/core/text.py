"""What PostgreSQL's text and jsonb can hold."""


def is_storable(value: str) -> bool:
    """Any Unicode text but NUL and halves of surrogate pairs."""
    if "\0" in value:
        return False
    return value.isascii() or not any("\ud800" <= char <= "\udfff" for char in value)

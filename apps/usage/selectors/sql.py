"""Parts of the statements that read what has counted."""

# What a unique count keeps of a value. Not MD5, which a customer could make collide.
VALUE_HASH = "encode(substring(sha256(convert_to(left(reading.value, 255), 'UTF8')) FOR 16), 'hex')::uuid"

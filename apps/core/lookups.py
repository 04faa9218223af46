"""What a process may remember of a tenant's tables, and how it learns that they changed.

Each schema has one row with a version. Deferred triggers on the remembered tables raise it as the last act of a
transaction, so that whoever reads a new version also sees what changed. Its first value is random: a schema
that is dropped and made again must not look like the one before.
"""

from django.db import connection

CREATE_TRIGGER = """
CREATE CONSTRAINT TRIGGER {table}_is_remembered AFTER {events} ON {table}
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW {when} EXECUTE FUNCTION raise_lookup_version();
"""
DROP_TRIGGER = "DROP TRIGGER {table}_is_remembered ON {table};"


def place() -> tuple[str, str]:
    """Which schema of which database is entered: what a memory has to be kept apart by."""
    return str(connection.settings_dict["NAME"]), str(connection.schema_name)  # type: ignore[attr-defined]


def may_remember() -> bool:
    """Inside a transaction of the caller's, rows are visible that may never be."""
    return not connection.in_atomic_block


def trigger_sql(table: str, *, events: str, when: str = "") -> tuple[str, str]:
    """SQL that makes and drops the trigger on a remembered table; for migrations."""
    condition = f"WHEN ({when})" if when else ""
    return (
        CREATE_TRIGGER.format(table=table, events=events, when=condition),
        DROP_TRIGGER.format(table=table),
    )

"""A tenant that keeps its events for 40 days, takes them for 35, and has no archive of anybody else's around."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from apps.catalog.models import Meter
from apps.customers.models import Customer
from apps.usage import selectors
from apps.usage.models import ArchivedPartition, UsageSettings
from apps.usage.services import archive_files, partitions, retention

JANUARY, FEBRUARY, MARCH, APRIL = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2, 3, 4))


def keep(days: int | None, *, backdating: int = 35) -> None:
    UsageSettings.objects.update_or_create(
        pk=1, defaults={"retention_days": days, "backdating_days": backdating}
    )


def names() -> list[str]:
    return [one.name.removeprefix(f"{partitions.TABLE}_") for one in partitions.existing()]


def archived() -> list[str]:
    found = ArchivedPartition.objects.order_by("pk").values_list("partition", flat=True)
    return [name.removeprefix(f"{partitions.TABLE}_") for name in found]


def rows_of(record: ArchivedPartition) -> list[dict[str, Any]]:
    path = archive_files.directory() / record.file_name
    return sorted(archive_files.format_of(record.format).rows(path), key=lambda row: row["id"])


def check(now: datetime) -> int:
    return retention.check_retention(now)


def used(customer: Customer, start: datetime, end: datetime) -> Decimal:
    """Input tokens."""
    meter = Meter.objects.get(code="input_tokens")
    found = selectors.quantities(customer_id=customer.pk, meter_ids=[meter.pk], start=start, end=end)
    return found[meter.pk].quantity

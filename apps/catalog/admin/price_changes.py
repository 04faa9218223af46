"""What the page of a price does beside saving: audit entries of its version, and taking a price out of a draft."""

from apps.audit.services.record import record
from apps.catalog.definitions import definition_document
from apps.catalog.models import Price
from apps.catalog.services import plans


def record_price(price: Price, what: str) -> None:
    """The entry is the version's, with the definition as it is stored now: a price is part of its version."""
    stored = Price.objects.select_related("meter").prefetch_related("tiers", "filters").get(pk=price.pk)
    filters = {one.dimension: one.values for one in stored.filters.all()}
    document = {**definition_document(stored), "filters": filters}
    record(
        action="plan_version.changed",
        target=price.plan_version,
        changes={f"price {price.code} {what}": document},
    )


def remove_price(price: Price) -> None:
    """Take a price out of its draft. Raises `Refused` not_a_draft."""
    version = plans.locked_draft(price.plan_version)
    price.tiers.all().delete()
    price.filters.all().delete()
    Price.objects.filter(pk=price.pk).delete()
    record(action="plan_version.changed", target=version, changes={f"price {price.code} removed": str(price)})

"""Reads of the catalog."""

from dataclasses import dataclass

from apps.catalog.models import Meter, Plan, PlanVersion
from apps.core.errors import Missing


def meters_by_event_name() -> dict[str, list[Meter]]:
    """The meters in use, by the event name they count, in one query."""
    found: dict[str, list[Meter]] = {}
    for meter in Meter.objects.filter(archived_at__isnull=True).order_by("pk"):
        found.setdefault(meter.event_name, []).append(meter)
    return found


def published_version(*, plan_code: str, number: int | None = None) -> PlanVersion:
    """The version numbered so, or the newest of the plan's general offer. Raises `Missing` plan_version_not_found."""
    versions = PlanVersion.objects.filter(plan__code=plan_code, status=PlanVersion.Status.PUBLISHED)
    if number is not None:
        versions = versions.filter(number=number)
    else:
        versions = versions.filter(price_book__isnull=True, is_negotiated=False)
    version = versions.select_related("plan").order_by("-number").first()
    if version is None:
        which = f"version {number}" if number is not None else "a published version"
        raise Missing("plan_version_not_found", f"Plan {plan_code!r} has no {which} on offer.", param="/plan")
    return version


@dataclass(frozen=True, slots=True)
class Buyer:
    """Where somebody buys and with which money. An empty currency leaves it to the offer."""

    storefront: str = ""
    region: str = ""
    currency: str = ""


@dataclass(frozen=True, slots=True)
class LookupRow:
    """One candidate of the look-up, in the order in which candidates are asked. `reason` says why not."""

    version: PlanVersion
    is_chosen: bool
    reason: str


def lookup_order(*, plan: Plan, buyer: Buyer) -> list[LookupRow]:
    """Which version of the plan a buyer is offered, and every other candidate with the reason against it.

    The newest published version of each book, and of the plan's general offer, are candidates. Order: books
    that name both storefront and region, then storefront, then region, then neither; the general offer last.
    The first that fits wins.
    """
    newest: dict[int | None, PlanVersion] = {}
    published = PlanVersion.objects.filter(
        plan=plan, status=PlanVersion.Status.PUBLISHED, is_negotiated=False
    )
    for version in published.select_related("price_book", "plan").order_by("number"):
        newest[version.price_book_id] = version
    rows: list[LookupRow] = []
    is_taken = False
    for version in sorted(newest.values(), key=specificity):
        reason = misfit(version, buyer)
        is_chosen = not reason and not is_taken
        rows.append(
            LookupRow(version, is_chosen, reason or ("" if is_chosen else "A more specific one fits."))
        )
        is_taken = is_taken or is_chosen
    return rows


def specificity(version: PlanVersion) -> tuple[int, int]:
    book = version.price_book
    if book is None:
        return 4, version.pk
    return 3 - 2 * bool(book.storefront) - bool(book.region), book.pk


def misfit(version: PlanVersion, buyer: Buyer) -> str:
    """Why a version is not for this buyer; empty when it is."""
    if buyer.currency and version.currency != buyer.currency:
        return f"It is in {version.currency}."
    book = version.price_book
    if book is not None and book.storefront and book.storefront != buyer.storefront:
        return f"It is for the storefront {book.get_storefront_display()}."
    if book is not None and book.region and book.region != buyer.region:
        return f"It is for the region {book.region}."
    return ""


def offered_version(*, plan_code: str, buyer: Buyer) -> PlanVersion:
    """The version a buyer is offered. Raises `Missing` plan_version_not_found."""
    plan = Plan.objects.filter(code=plan_code).first()
    chosen = (
        next((row.version for row in lookup_order(plan=plan, buyer=buyer) if row.is_chosen), None)
        if plan
        else None
    )
    if chosen is None:
        wanted = ", ".join(part for part in (buyer.storefront, buyer.region, buyer.currency) if part)
        raise Missing(
            "plan_version_not_found",
            f"Plan {plan_code!r} has no published version{f' for {wanted}' if wanted else ''}.",
            param="/plan",
        )
    return chosen


def meters_in_use() -> list[Meter]:
    """Meters that are not archived, by name."""
    return list(Meter.objects.filter(archived_at__isnull=True).order_by("name"))

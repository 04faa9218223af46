"""Publish, archive and duplicate versions of a plan."""

from collections.abc import Callable, Sequence
from datetime import datetime

from django.db import models, transaction
from django.db.models import Max

from apps.audit.services.record import record
from apps.catalog.definitions import definition_of
from apps.catalog.models import PlanVersion, Price, PriceBook, PriceFilter, PriceTier
from apps.catalog.services.plans import errors_of, out_of_reach, reach, refuse
from apps.catalog.terms import check_add_on_terms, check_terms, terms_of
from apps.core.errors import Refused
from apps.rating import DefinitionError, Problem


class Existing(models.TextChoices):
    """What becomes of those who are on an older version of the plan."""

    KEEP = "keep", "They keep their version"
    AT_RENEWAL = "at_renewal", "They move when their next period begins"
    NOW = "now", "They move now; the running period is split at this instant"


# Moves subscribers to a version; subscriptions live above the catalog and put their service in here.
Mover = Callable[[PlanVersion, str, datetime], int]
_movers: list[Mover] = []


def add_mover(mover: Mover) -> None:
    _movers.append(mover)


@transaction.atomic
def publish_version(*, version: PlanVersion, now: datetime, existing: str = Existing.KEEP) -> PlanVersion:
    """Freeze a draft for good, and move those on older versions of the same offer when asked to.

    Raises `Refused` not_a_draft, no_prices, meter_is_draft, add_on_has_usage, add_ons_keep_their_version; `Invalid`
    when a definition does not hold, with pointers into its prices.
    """
    version = PlanVersion.objects.select_for_update(of=("self",)).select_related("plan").get(pk=version.pk)
    if not version.is_draft:
        raise Refused("not_a_draft", f"{version} is {version.status}; only a draft can be published.")
    prices = list(version.prices.select_related("plan_version", "meter").prefetch_related("tiers", "filters"))
    check_terms(terms_of(version))
    if version.plan.is_add_on:
        check_add_on_terms(terms_of(version))
    if not prices:
        raise Refused("no_prices", f"{version} has no prices yet; add at least one.")
    if version.plan.is_add_on:
        refuse_as_add_on(prices, existing)
    refuse_draft_meters(prices)
    problems: list[Problem] = []
    for index, price in enumerate(prices):
        try:
            definition_of(price)
        except DefinitionError as error:
            problems += [problem.below(f"/prices/{index}") for problem in error.problems]
    filters = [{one.dimension: one.values for one in price.filters.all()} for price in prices]
    problems += out_of_reach(
        [reach(price.meter_id, found) for price, found in zip(prices, filters, strict=True)]
    )
    refuse(problems)
    version.status = PlanVersion.Status.PUBLISHED
    version.published_at = now
    version.save(update_fields=["status", "published_at"])
    moved = sum(mover(version, existing, now) for mover in _movers) if existing != Existing.KEEP else 0
    record(
        action="plan_version.published",
        target=version,
        changes={"existing": str(existing), "subscriptions_moved": moved},
    )
    return version


def refuse_as_add_on(prices: Sequence[Price], existing: str) -> None:
    """Usage is the plan's to price: two versions that price one meter at one time would bill it twice."""
    problems = [
        Problem(
            "add_on_has_usage",
            f"/prices/{index}/model",
            f"{price.name}: an add-on has flat fees only; price usage in a plan, or leave this price out.",
        )
        for index, price in enumerate(prices)
        if price.is_metered
    ]
    if problems:
        raise Refused(
            problems[0].code, problems[0].message, param=problems[0].pointer, errors=errors_of(problems)
        )
    if existing != Existing.KEEP:
        raise Refused(
            "add_ons_keep_their_version",
            "Add-ons that are attached keep their version; detach them and attach the new one.",
            param="/existing",
        )


def refuse_draft_meters(prices: Sequence[Price]) -> None:
    """What a draft meter measures may still change; nobody can be billed by it."""
    problems = [
        Problem(
            "meter_is_draft",
            f"/prices/{index}/meter",
            f"{price.name}: the meter {price.meter} is a draft; activate it first.",
        )
        for index, price in enumerate(prices)
        if price.meter is not None and price.meter.is_draft
    ]
    if problems:
        raise Refused(
            problems[0].code, problems[0].message, param=problems[0].pointer, errors=errors_of(problems)
        )


@transaction.atomic
def archive_version(*, version: PlanVersion) -> PlanVersion:
    """Take a published version off offer. Those subscribed stay on it. Raises `Refused` not_published."""
    changed = PlanVersion.objects.filter(pk=version.pk, status=PlanVersion.Status.PUBLISHED).update(
        status=PlanVersion.Status.ARCHIVED
    )
    if not changed:
        raise Refused(
            "not_published", f"{version} is {version.status}; only a published version can be archived."
        )
    version.refresh_from_db()
    record(action="plan_version.archived", target=version)
    return version


@transaction.atomic
def duplicate_version(
    *, version: PlanVersion, price_book: PriceBook | None = None, is_negotiated: bool = False
) -> PlanVersion:
    """Copy a version with all of its prices into the plan's next draft, for a book or a customer perhaps."""
    plan = type(version.plan).objects.select_for_update().get(pk=version.plan_id)
    latest = plan.versions.aggregate(number=Max("number"))["number"]
    book = None if is_negotiated else price_book
    copy = PlanVersion.objects.create(
        plan=plan,
        number=latest + 1,
        currency=book.currency if book else version.currency,
        price_book=book,
        is_negotiated=is_negotiated,
        **terms_of(version),
    )
    for price in version.prices.all():
        tiers, filters = list(price.tiers.all()), list(price.filters.all())
        price.pk, price._state.adding, price.plan_version = None, True, copy
        price.save()
        for tier in tiers:
            tier.pk, tier._state.adding, tier.price = None, True, price
        for one in filters:
            one.pk, one._state.adding, one.price = None, True, price
        PriceTier.objects.bulk_create(tiers)
        PriceFilter.objects.bulk_create(filters)
    record(action="plan_version.drafted", target=copy, changes={"copied_from": str(version)})
    return copy

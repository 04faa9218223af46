"""What a preview says is what is billed then, and nothing else happens."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from apps.invoices.models import Invoice
from apps.invoices.services.preview_change import preview
from apps.subscriptions.models import Subscription
from apps.subscriptions.services.cancel import cancel
from apps.subscriptions.services.change_subscription import change_subscription
from apps.subscriptions.services.change_time_zone import change_time_zone
from apps.subscriptions.services.pause import pause
from apps.tenants.models import Tenant
from tests.harness.evidence import nothing_changes_in
from tests.scenarios.lifecycle.words import DAY, NO_TIME, at, base, run, sell, start

NOW = at("2026-02-11")
VERBS: list[tuple[Callable[..., Subscription], dict[str, Any]]] = [
    (change_subscription, {"quantity": 3, "when": "now"}),
    (change_subscription, {"quantity": 2, "when": "period_end"}),
    (change_subscription, {"plan": "yearly", "when": "now"}),
    (change_subscription, {"plan": "dear", "when": "date", "at": at("2026-02-20")}),
    (pause, {"when": "now"}),
    (cancel, {"when": "now", "unused": "credit"}),
    (cancel, {"when": "now", "unused": "nothing"}),
    (cancel, {"when": "period_end", "unused": "refund"}),
    (change_time_zone, {"time_zone": "Pacific/Kiritimati"}),
]


@pytest.mark.parametrize(("verb", "arguments"), VERBS)
@pytest.mark.parametrize("is_draft", [False, True])
def test_what_is_previewed_is_billed(
    in_acme: Tenant, verb: Callable[..., Subscription], arguments: dict[str, Any], is_draft: bool
) -> None:
    subscription = start(
        sell("a", base("28", "advance", is_per_seat=True), proration="day"), at("2026-01-01")
    )
    offers = {
        "dear": sell("dear", base("56", "advance")),
        "yearly": sell("yearly", base("365", "advance"), interval_count=12),
    }
    run(at("2026-01-01"))
    run(at("2026-02-01"), grace=NO_TIME if is_draft else DAY)
    given = {name: value for name, value in arguments.items() if name != "plan"}
    if "plan" in arguments:
        given["plan_version"] = offers[arguments["plan"]]
    if is_draft:
        # Its grace period is a long one: it is still a draft when something changes.
        assert Invoice.objects.filter(kind="cycle", status="draft").update(
            finalize_due_at=at("2026-02-11 12:00")
        )
    with nothing_changes_in("acme"):
        seen = preview(verb, subscription=subscription, now=NOW, **given)
    assert seen.difference == sum(one.total for one in seen.after) - sum(one.total for one in seen.before)
    verb(subscription=subscription, now=NOW, **given)
    known = set(Invoice.objects.exclude(status="draft").values_list("pk", flat=True))
    subscription.refresh_from_db()
    run(max(NOW, subscription.next_boundary_at))
    billed = Invoice.objects.exclude(pk__in=known)
    assert [(one.period, one.total) for one in billed.order_by("period_start", "id")] == [
        (one.period, one.total) for one in seen.after
    ]
    assert all(isinstance(one.total, Decimal) for one in billed)

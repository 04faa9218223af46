"""Hold the customers whose subscriptions could bill the same usage."""

from collections.abc import Collection

from django.db.models import Q

from apps.customers.models import Customer, TeamBilling


def lock_family(customer_ids: Collection[int]) -> None:
    """The rows of these customers and of the parents that their usage is billed to, in the order of their numbers.

    A team and its parent meet at the parent's row. Whoever makes a team one holds the team's row too, so when these
    rows are held nobody is added any more; where a parent was added while this waited, it is held as well.
    """
    ids = set(customer_ids)
    billings = TeamBilling.objects.filter(team_id__in=ids)
    rows = Customer.objects.filter(Q(pk__in=ids) | Q(pk__in=billings.values("payer_id"))).order_by("pk")
    held: set[int] = set()
    while not held or not set(billings.values_list("payer_id", flat=True)) <= held:
        # No key: an invoice that is being written refers to the customer, and must not wait for this lock.
        held = set(rows.select_for_update(no_key=True).values_list("pk", flat=True))
        if not held:
            return

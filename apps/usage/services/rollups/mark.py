"""Up to which day those who change hours change sums and counts of days as well."""

from apps.usage.models import DayMark
from apps.usage.services.corrections import turn
from apps.usage.services.validate import micros_of


def days_before() -> int:
    """In microseconds since 1970; one statement. It holds until the end of the transaction: the turn of corrections
    is taken, and whoever moves the mark takes it too. Batches go by what they remember instead (`services.memory`),
    for all of them are waited for when the mark moves.
    """
    turn.take_turn()
    return micros_of(DayMark.objects.values_list("written_before", flat=True).get())

"""What a meter measures, in words, and what each aggregation does."""

import re

from apps.catalog.admin.filter_lines import line_of
from apps.catalog.models import Meter

Aggregation = Meter.Aggregation
OUTSIDE_NAMES = re.compile(r"`[^`]*`|\*|/|\s+")
SIGNS = {"*": "×", "/": "÷"}

HELP = {
    Aggregation.SUM: "All values of the period added up.",
    Aggregation.COUNT: "One for each event; nothing is read off it.",
    Aggregation.MAX: "The largest value of the period.",
    Aggregation.MIN: "The smallest value of the period.",
    Aggregation.LATEST: "The value of the period's latest event.",
    Aggregation.UNIQUE_COUNT: "How many different values the property has, as text: active users, for example.",
    Aggregation.TIME_WEIGHTED_SUM: (
        "A value is a level that holds until the next event: 100 GB for 3 hours are 300 GB-hours. Levels carry over"
        " into the next period."
    ),
}
READS_PROPERTY = [str(one) for one in Aggregation if one != Aggregation.COUNT]
READS_EXPRESSION = [one for one in READS_PROPERTY if one != Aggregation.UNIQUE_COUNT]


def measures_text(meter: Meter) -> str:
    """`Sum of input_tokens + 5 × output_tokens where region in eu, us`."""
    text = meter.get_aggregation_display()
    if meter.aggregation != Aggregation.COUNT:
        text += f" of {meter.value_property or expression_text(meter.value_expression)}"
    if meter.filters:
        text += f" where {' and '.join(line_of(one) for one in meter.filters)}"
    return text


def expression_text(text: str) -> str:
    """With the signs that people write."""

    def sign(found: re.Match[str]) -> str:
        one = found[0]
        return " " if one.isspace() else SIGNS.get(one, one)

    return OUTSIDE_NAMES.sub(sign, text.strip())

"""Plans and prices in and out as CSV, XLSX or JSON, one row a price. An import shows first what it would do.

It makes and replaces drafts, through the catalog's services: a file's rows of one plan and version are that version,
so a price that is not among them is removed. What is published is refused.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from import_export import fields, resources
from import_export.instance_loaders import BaseInstanceLoader
from import_export.results import RowResult
from import_export.widgets import CharWidget

from apps.catalog.admin.columns import COLUMNS, NEEDED, definition_row, row_of
from apps.catalog.admin.diff import Change, changes_between
from apps.catalog.admin.transfer_write import Former, Group, RowError, by_code, grouped, terms_of, write
from apps.catalog.admin.wording import facts_of
from apps.catalog.models import PlanVersion, Price
from apps.core.admin.transfer import refuse_file
from apps.core.spreadsheets import read_cell, safe

HEADERS = ["Plan version", "Price", "What changes"]


@dataclass
class Outcome:
    """What becomes of one row."""

    kind: str = RowResult.IMPORT_TYPE_SKIP
    version: str = ""
    price: str = ""
    changes: str = ""
    errors: list[str] = field(default_factory=list)


class Stored(Exception):
    pass


class PriceResource(resources.Resource):
    class Meta:
        import_id_fields = NEEDED
        instance_loader_class = BaseInstanceLoader
        export_order = COLUMNS
        use_transactions = True
        report_skipped = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fields = {name: fields.Field(column_name=name, widget=CharWidget()) for name in COLUMNS}
        self.outcomes: list[Outcome] = []

    @classmethod
    def get_display_name(cls) -> str:
        return "Plans and prices"

    # Export

    def export(self, queryset: QuerySet[PlanVersion] | None = None, **kwargs: Any) -> Any:
        """`queryset` are plan versions; a row for each of their prices."""
        versions = PlanVersion.objects.all() if queryset is None else queryset
        prices = (
            Price.objects.filter(plan_version__in=versions.order_by().values("pk"))
            .select_related("meter", "plan_version__plan", "plan_version__price_book")
            .prefetch_related("tiers", "filters")
            .order_by("plan_version__plan__code", "plan_version__number", "position", "id")
        )
        return super().export(queryset=prices, **kwargs)

    def export_resource(self, instance: Price, selected_fields: Any = None, **kwargs: Any) -> list[str]:
        row = row_of(instance, instance.plan_version)
        return [safe(row[column.column_name]) for column in self.get_export_fields(selected_fields)]

    # Import

    def get_diff_headers(self) -> list[str]:
        return HEADERS

    def before_import(self, dataset: Any, **kwargs: Any) -> None:
        """Do everything, version by version: a row alone says nothing. `import_row` tells what came of it."""
        refuse_file(dataset, needed=NEEDED, known=COLUMNS)
        rows = [dict(zip(dataset.headers, map(read_cell, values), strict=True)) for values in dataset]
        self.outcomes = [Outcome() for _ in rows]
        for group in grouped(rows):
            self.take(group, dataset)

    def take(self, group: Group, dataset: Any) -> None:
        """One version; what is wrong with it undoes it alone, and then the whole import."""
        try:
            with transaction.atomic():
                version, former, removed = write(group)
                is_changed = self.tell(group, version, former, removed, dataset)
                if not is_changed:
                    raise Stored
        except Stored:
            pass
        except RowError as error:
            for number, texts in error.by_row.items():
                self.outcomes[number].errors += texts

    def tell(
        self, group: Group, version: PlanVersion, former: Former, removed: list[Price], dataset: Any
    ) -> bool:
        """Note what became of each row. A price that is gone gets a row of its own, for the preview.

        A change of what all prices share is told at the first row, which counts as changed by it.
        """
        after = by_code(version)
        terms = changes_between(former.terms, terms_of(version)) if former.terms else []
        for index, (number, row) in enumerate(group.rows):
            price, old = after[row["code"]], former.prices.get(row["code"])
            outcome = self.outcomes[number]
            outcome.version, outcome.price = str(version), price.name
            shared = terms if index == 0 else []
            if old is None:
                outcome.kind = RowResult.IMPORT_TYPE_NEW
                facts = listed(facts_of(price, version.currency).items())
                outcome.changes = in_words(shared) + facts if shared else facts
                continue
            changes = [*shared, *changes_of(old, price, former.currency, version.currency)]
            if changes or definition_row(old) != definition_row(price):
                outcome.kind, outcome.changes = RowResult.IMPORT_TYPE_UPDATE, in_words(changes)
        for price in removed:
            dataset.append(
                [{"plan": group.plan, "code": price.code}.get(name, "") for name in dataset.headers]
            )
            self.outcomes.append(
                Outcome(
                    RowResult.IMPORT_TYPE_DELETE,
                    str(version),
                    price.name,
                    SafeString("Not in the file: removed"),
                )
            )
        kinds = {self.outcomes[number].kind for number, _ in group.rows}
        return bool(removed or terms) or not former.prices or kinds != {RowResult.IMPORT_TYPE_SKIP}

    def import_row(self, row: Any, instance_loader: Any, **kwargs: Any) -> RowResult:
        result = self.get_row_result_class()()
        # Without outcomes the file as a whole was refused.
        outcome = self.outcomes[kwargs["row_number"] - 1] if self.outcomes else Outcome()
        result.import_type = RowResult.IMPORT_TYPE_ERROR if outcome.errors else outcome.kind
        result.diff = [outcome.version, outcome.price, outcome.changes]
        result.errors = [
            self.get_error_result_class()(ValueError(text), row=row, number=kwargs["row_number"])
            for text in outcome.errors
        ]
        return result


def changes_of(old: Price, new: Price, old_currency: str, new_currency: str) -> list[Change]:
    """Each price speaks of money in the currency that it had."""
    facts = facts_of(old, old_currency), facts_of(new, new_currency)
    if old.position != new.position:
        facts[0]["Order"], facts[1]["Order"] = str(old.position + 1), str(new.position + 1)
    return changes_between(*facts)


def in_words(changes: list[Change]) -> SafeString:
    rows = format_html_join(
        "", "<div>{}: <del>{}</del> → <ins>{}</ins></div>", ((one.name, one.old, one.new) for one in changes)
    )
    return format_html('<div class="ch-import">{}</div>', rows)


def listed(facts: Iterable[tuple[str, str]]) -> SafeString:
    return format_html('<div class="ch-import">{}</div>', format_html_join("", "<div>{}: {}</div>", facts))

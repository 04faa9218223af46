"""What may become of a price book once plans are priced in it."""

from apps.catalog.models import PriceBook
from apps.core.errors import Refused


def refuse_other_currency(*, book: PriceBook, currency: str) -> None:
    """The versions of a book are in its currency, and published ones stay so. Raises `Refused` price_book_in_use."""
    if currency != book.currency and book.versions.exists():
        raise Refused(
            "price_book_in_use",
            f"Plans are priced in {book} in {book.currency}; make another book for {currency}.",
            param="/currency",
        )

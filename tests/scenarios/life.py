"""The words that scenarios are told in."""

from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests.harness.clients import Api


@dataclass
class Life:
    """Every step is a request, and every request must succeed unless the step says otherwise."""

    api: Api
    numbers: "count[int]" = field(default_factory=lambda: count(1))

    def do(self, path: str, body: Any = None, status: int = 201) -> Any:
        response = self.api.post(path, body)
        assert response.status_code == status, response.content
        return response.json()

    def see(self, path: str) -> Any:
        response = self.api.get(path)
        assert response.status_code == 200, response.content
        return response.json()

    def sell_tokens(self, base_fee: str | None = None, currency: str = "USD") -> None:
        """The plan payg: 2.50 per million input tokens, 10.00 per million output tokens, perhaps a base fee."""
        prices: list[dict[str, str]] = []
        for kind, amount in (("input", "0.0000025"), ("output", "0.00001")):
            meter = {
                "code": f"{kind}_tokens", "name": f"{kind.title()} tokens", "event_name": "llm.call",
                "aggregation": "sum", "value_property": f"{kind}_tokens", "unit": "token", "dimensions": ["model"],
            }  # fmt: skip
            self.do("/meters", meter)
            prices.append(
                {
                    "code": kind,
                    "name": meter["name"],
                    "model": "per_unit",
                    "meter": meter["code"],
                    "unit_amount": amount,
                }
            )
        if base_fee:
            prices.append({"code": "base", "name": "Base fee", "model": "flat", "flat_amount": base_fee})
        self.do("/plans", {"code": "payg", "name": "Pay as you go", "currency": currency, "prices": prices})
        self.do("/plans/payg/versions/1/publish", status=200)

    def sign_up(self, name: str, started_at: str, *, anchor: str = "calendar", **fields: str) -> None:
        self.do("/customers", {"external_id": name, "name": name.title(), **fields})
        self.do(
            "/subscriptions",
            {"customer": name, "plan": "payg", "started_at": started_at, "billing_anchor": anchor},
        )

    def use(self, name: str, at: str, tokens_in: int, tokens_out: int = 0) -> None:
        """One call, with an id that was never used."""
        event = {
            "id": f"call-{next(self.numbers)}", "event": "llm.call", "customer": name, "timestamp": at,
            "properties": {"input_tokens": tokens_in, "output_tokens": tokens_out, "model": "gpt-5"},
        }  # fmt: skip
        answer = self.api.report(event)
        assert answer["accepted"] == 1, answer

    def advance(self, to: str) -> dict[str, int]:
        jobs: dict[str, int] = self.do("/test_clock/advance", {"to": to}, 200)["jobs"]
        return jobs

    def invoices(self, name: str) -> list[dict[str, Any]]:
        """All of a customer's invoices with their lines, the oldest first."""
        found = self.see(f"/invoices?limit=100&customer={name}")["data"]
        return [self.see(f"/invoices/{one['id']}") for one in reversed(found)]

    def bills(self, name: str) -> list[tuple[str, str, str, str]]:
        """Month, status, number and total of each."""
        return [
            (one["period_start"][:10], one["status"], one["number"] or "", one["total"])
            for one in self.invoices(name)
        ]

    def upcoming(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.see(f"/customers/{name}/invoices/upcoming")
        return found


def lines(invoice: dict[str, Any]) -> list[tuple[str, str, str | None, str]]:
    """What stands on an invoice, without its explanations: kind, description, quantity, amount."""
    return [
        (line["kind"], line["description"], line["quantity"], line["amount"]) for line in invoice["lines"]
    ]

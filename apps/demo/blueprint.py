"""What the demo consists of: two tenants, their staff, catalog and customers. Data only; services build it."""

from dataclasses import dataclass
from decimal import Decimal

from apps.catalog.services.plans import NewPrice
from apps.demo.traces import CHAT, CODE, Trace

PASSWORD = "countinghouse-demo"
OPERATOR_EMAIL = "operator@countinghouse.example"

# Code and name; each sums the property of its own name.
METERS = {"input_tokens": "Input tokens", "output_tokens": "Output tokens"}
DIMENSIONS = ["model"]

TOKENS = [
    NewPrice("input", "Input tokens", "per_unit", meter="input_tokens", unit_amount=Decimal("0.0000025")),
    NewPrice("output", "Output tokens", "per_unit", meter="output_tokens", unit_amount=Decimal("0.00001")),
]
BASE_FEE = NewPrice("base", "Base fee", "flat", flat_amount=Decimal("49.00"))
CURRENCY = "USD"


@dataclass(frozen=True, slots=True)
class DemoPlan:
    code: str
    name: str
    description: str
    prices: list[NewPrice]


PAY_AS_YOU_GO = DemoPlan("pay-as-you-go", "Pay as you go", "Tokens only, no base fee.", TOKENS)
TEAM = DemoPlan("team", "Team", "A monthly base fee and the tokens used.", [BASE_FEE, *TOKENS])
PLANS = [PAY_AS_YOU_GO, TEAM]


@dataclass(frozen=True, slots=True)
class DemoCustomer:
    """Uses the first `calls` calls of a trace, all of them when None."""

    external_id: str
    name: str
    plan: DemoPlan
    trace: Trace
    calls: int | None = None


@dataclass(frozen=True, slots=True)
class DemoTenant:
    """`strangers` are customers that its application reports and that nobody has made yet."""

    slug: str
    name: str
    olga: str
    address: str
    draft_grace_hours: int
    customers: tuple[DemoCustomer, ...]
    sam: str = ""
    strangers: tuple[str, ...] = ()


ACME = DemoTenant(
    slug="acme",
    name="Acme AI",
    olga="olga@acme.example",
    sam="sam@acme.example",
    address="1 Example Street\n94105 San Francisco\nCA\nUS",
    # Last month is invoiced to the end when `make run` is through.
    draft_grace_hours=0,
    customers=(
        DemoCustomer(CODE.customer, "Code Assistant", PAY_AS_YOU_GO, CODE),
        DemoCustomer(CHAT.customer, "Chat Assistant", PAY_AS_YOU_GO, CHAT),
    ),
    strangers=("trial-assistant", "trial-assistant", "code-asistant"),
)
GLOBEX = DemoTenant(
    slug="globex",
    name="Globex",
    olga="olga@globex.example",
    address="2 Example Road\nLondon\nGB",
    # Here last month is a draft that can be reviewed for three days.
    draft_grace_hours=72,
    customers=(DemoCustomer("research-assistant", "Research Assistant", TEAM, CODE, calls=2000),),
)
TENANTS = (ACME, GLOBEX)

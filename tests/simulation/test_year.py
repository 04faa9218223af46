"""A year of customers from one seed: at the end every event is billed exactly once.

`make soak` lives whole years of fifty customers from seeds that nobody has seen. A failure names its seed; the same
year is lived again with SIMULATION_SEED (and SIMULATION_CUSTOMERS, SIMULATION_MONTHS).
"""

import os
import secrets

import pytest

from apps.tenants.models import Tenant
from tests.simulation import reference
from tests.simulation.year import Year

IS_SOAK = os.environ.get("HYPOTHESIS_PROFILE") == "soak"
CUSTOMERS = int(os.environ.get("SIMULATION_CUSTOMERS", "50" if IS_SOAK else "4"))
MONTHS = int(os.environ.get("SIMULATION_MONTHS", "12" if IS_SOAK else "3"))
SEED = os.environ.get("SIMULATION_SEED")
YEARS = 1 if SEED else 8 if IS_SOAK else 3


@pytest.mark.parametrize("number", range(YEARS))
def test_every_event_is_billed_exactly_once(fresh_database: str, in_acme: Tenant, number: int) -> None:
    seed = int(SEED) if SEED else secrets.randbelow(10**9) if IS_SOAK else number
    year = None
    try:
        year = Year(in_acme, seed=seed, customers=CUSTOMERS, months=MONTHS)
        year.live()
        year.finish()
        reference.check(year)
    except BaseException as error:
        error.add_note("\n".join(year.diary if year else []))
        error.add_note(
            f"Live it again: SIMULATION_SEED={seed} SIMULATION_CUSTOMERS={CUSTOMERS} SIMULATION_MONTHS={MONTHS} "
            "make test ARGS=tests/simulation"
        )
        raise

"""What work costs, as trials and values from the record count it."""

from pathlib import Path

from sqlalchemy import Connection, select

from domain.money import EXPONENTS
from ledger.schema import debt
from ledger.trial_units import Prices
from simulation.measures import SHIPPED, read_costs


def prices_of(connection: Connection, path: Path | None) -> Prices:
    """Return what work costs, in the currency of the debts where they have one that is priced."""
    costs = read_costs(path or SHIPPED)
    owed = sorted(connection.execute(select(debt.c.currency).distinct()).scalars())
    currency = owed[0] if len(owed) == 1 and owed[0] in costs.prices else costs.currency
    priced, minor = costs.prices[currency], 10.0 ** -EXPONENTS[currency]
    return Prices(
        currency=currency,
        agent_hour=priced.agent_hour * minor,
        call_minute=priced.call_minute * minor,
        attempt=priced.attempt * minor,
        complaint=priced.complaint * minor,
        worth={code: costs.worth(code, currency) for code in owed},
    )

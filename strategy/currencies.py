"""Money of several currencies in one strategy: where it would be weighed as if it were one.

Fields of money are in minor units of each debtor's own currency, and a list has one order: 5,000 pesos would come
before 1,000 euros. Conditions can tell currencies apart; the order of a list cannot, and arms are drawn by lot.
"""

from collections.abc import Sequence
from typing import Final

from strategy.documents import Strategy, rules_of
from strategy.fields import FIELDS

#: Fields that mean something else in each currency.
MONEY: Final = frozenset(name for name, field in FIELDS.items() if field.unit == "minor units")
#: Fields by which a condition says which currency it speaks of.
_TELLING: Final = frozenset(("currency", "country"))
#: Ranks within a currency, and is known of everybody.
_WITHIN: Final = "balance_share"


def mixed(strategy: Strategy, campaign: str, currencies: Sequence[str]) -> list[str]:
    """Return in words where a strategy would compare money of a campaign's currencies as if it were one."""
    if len(currencies) < 2:
        return []
    found = []
    owed = f"campaign {campaign} has debts in {', '.join(currencies)}"
    for document in (strategy.document, *strategy.challengers.values()):
        said, rules = f"{document.name}: ", rules_of(document)
        weighed: set[str] = set()
        for quantity in rules.rank_by:
            if quantity.normal == _WITHIN:
                break
            weighed |= quantity.reads & MONEY
        if weighed:
            hours = ", and hours are planned by it" * bool(document.plan)
            found.append(
                f"{said}rank_by weighs {', '.join(sorted(weighed))} in minor units whatever their currency{hours}, "
                f"and {owed}: the greatest figures come first, not the most money; rank by {_WITHIN}, or give each "
                "currency a campaign of its own (selection.countries)"
            )
        conditions = {
            f"segment {one.name}": condition for one, condition in zip(document.segments, rules.segments, strict=True)
        }
        conditions |= {f"stop_when of {name}": condition for name, condition in rules.stops.items()}
        for name, condition in conditions.items():
            if (bound := condition.bounds & MONEY) and not condition.reads & _TELLING:
                found.append(
                    f"{said}{name} compares {', '.join(sorted(bound))} with a figure whatever its currency, and "
                    f'{owed}; say which is meant: currency == "{currencies[0]}" and …'
                )
    return found

"""Sums that agents state: read as people write them, and held to what the call's offer waives and divides.

Without the word that a sum settles the debt it is a part of it, and what is left stays owed: that needs no offer.
"""

import re
from collections.abc import Callable

from domain.errors import BadInput
from domain.money import EXPONENTS, amount_text
from domain.offers import Offer
from domain.people import Debt

#: A sum as people write it; a sign that parts thousands would be taken for one that marks decimals.
_SUM = re.compile(r"[0-9]{1,15}(?:[.,][0-9]{1,4})?", re.ASCII)

#: Makes a refusal of its key and fields.
No = Callable[..., BadInput]


def minor_of(what: str, text: str, debt: Debt, no: No) -> int:
    """Return a sum in minor units, as an agent writes it: digits and at most one decimal point or comma."""
    digits = EXPONENTS[debt.currency]
    if not _SUM.fullmatch(text):
        example = amount_text(debt.balance_minor, debt.currency).split()[0]
        raise no("no amount", what=what, currency=debt.currency, example=example, given=text)
    whole, _, part = text.replace(",", ".").partition(".")
    if len(part) > digits:
        raise no("decimals", what=what, currency=debt.currency, digits=digits, given=text)
    return int(whole + part.ljust(digits, "0"))


def check_settles(what: str, amount_minor: int, debt: Debt, offer: Offer | None, no: No) -> None:
    """Refuse a sum below the balance that is to settle a debt, unless the offer waives the rest."""
    if offer is None or not offer.discount:
        raise no("nothing waived", what=what, owed=amount_text(debt.balance_minor, debt.currency))
    least = offer.settles_minor(debt.balance_minor)
    if amount_minor < least:
        texts = [amount_text(minor, debt.currency) for minor in (least, debt.balance_minor, amount_minor)]
        raise no("waives too much", what=what, least=texts[0], owed=texts[1], given=texts[2])


def check_length(what: str, instalments: int, offer: Offer | None, no: No) -> None:
    """Refuse a plan of more instalments than the longest that is offered, where lengths are."""
    if offer is not None and offer.plan_months and instalments > max(offer.plan_months):
        known = ", ".join(map(str, sorted(offer.plan_months)))
        raise no("plan too long", what=what, known=known, most=max(offer.plan_months), given=instalments)

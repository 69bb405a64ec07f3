"""What an agent may offer a debtor: a share of the balance waived, and plans, as sums of the moment.

Sums that waive are rounded up: never is more waived than was offered.
"""

from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec import Meta

from domain.money import amount_text
from domain.people import Debt

_MILLION = 1_000_000


class Offer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What may be offered."""

    #: Share of the balance that is waived where the rest is paid.
    discount: Annotated[float, Meta(ge=0.0, lt=1.0)] = 0.0
    #: Lengths of plans, in monthly instalments; empty: as the campaign allows.
    plan_months: tuple[Annotated[int, Meta(ge=2, le=120)], ...] = ()

    def settles_minor(self, balance_minor: int) -> int:
        """Return the least sum that settles a debt."""
        return max(1, -(-balance_minor * (_MILLION - round(self.discount * _MILLION)) // _MILLION))


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    instalments: int
    #: One of them; the last is what is left.
    each_minor: int


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """An offer on one debt as it stands."""

    debt: int
    balance_minor: int
    currency: str
    discount: float
    #: The balance, where nothing is waived.
    settles_minor: int
    #: Of that sum.
    plans: tuple[Plan, ...]
    #: By language: `en`, `es`.
    words: dict[str, str]


def terms_of(offer: Offer | None, debts: Iterable[Debt]) -> tuple[Terms, ...]:
    """Return what may be offered on each debt that is still owed; empty where nothing is."""
    if offer is None or offer == Offer():
        return ()
    return tuple(_terms(offer, debt) for debt in debts if debt.state == "open" and debt.balance_minor > 0)


def _terms(offer: Offer, debt: Debt) -> Terms:
    settles_minor = offer.settles_minor(debt.balance_minor)
    plans = tuple(
        Plan(instalments=n, each_minor=-(-settles_minor // n)) for n in sorted(offer.plan_months) if n <= settles_minor
    )
    return Terms(
        debt=debt.debt,
        balance_minor=debt.balance_minor,
        currency=debt.currency,
        discount=offer.discount,
        settles_minor=settles_minor,
        plans=plans,
        words={language: _words(language, offer, debt, settles_minor, plans) for language in ("en", "es")},
    )


def _words(language: str, offer: Offer, debt: Debt, settles_minor: int, plans: tuple[Plan, ...]) -> str:
    spanish = language == "es"

    def figure(minor: int) -> str:
        whole, _, part = amount_text(minor, debt.currency).split()[0].partition(".")
        text = f"{int(whole):,}" + (f".{part}" if part else "")
        return text.translate(str.maketrans(",.", ".,")) if spanish else text

    owed = f"{figure(debt.balance_minor)} {debt.currency}"
    share = f"{100 * offer.discount:.10g}"
    said = owed
    if offer.discount and spanish:
        said = f"{share.replace('.', ',')} % menos de {owed}: {figure(settles_minor)}"
    elif offer.discount:
        said = f"{share} % off {owed}: {figure(settles_minor)}"
    if plans:
        lengths = f" {'o' if spanish else 'or'} ".join(_listed([str(one.instalments) for one in plans]))
        sums = " / ".join(figure(one.each_minor) for one in plans)
        of = "; " if offer.discount else " "
        said += f"{of}en {lengths} plazos de {sums}" if spanish else f"{of}in {lengths} instalments of {sums}"
    return f"puede ofrecerse: {said}" if spanish else f"may be offered: {said}"


def _listed(values: list[str]) -> list[str]:
    """Return all but the last as one, and the last."""
    return [", ".join(values[:-1]), values[-1]] if len(values) > 1 else values

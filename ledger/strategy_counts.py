"""What a strategy would do with a campaign's people as the ledger knows them; nothing is kept."""

from collections import Counter
from contextlib import nullcontext

import msgspec
import numpy as np
from sqlalchemy import Connection, select

from domain.settings import CampaignSettings
from ledger import score_fields
from ledger.plans import chosen
from ledger.strategic import Made, list_of, wanted
from strategy.documents import Strategy, attached


class SegmentCount(msgspec.Struct, frozen=True, kw_only=True):
    """One segment of the champion's document."""

    segment: str
    treatment: str
    accounts: int
    #: Open balances by currency, minor units.
    owed_minor: dict[str, int]
    #: On a list made now.
    listed: int


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign's people by a strategy."""

    campaign: str
    strategy: str
    accounts: int
    #: Without a number that may still be right.
    unreachable: int
    held_out: int
    listed: int
    segments: list[SegmentCount]


class Moves(msgspec.Struct, frozen=True, kw_only=True):
    """What changes from one strategy to another."""

    campaign: str
    accounts: int
    #: How many stand in a segment of the first and in one of the second.
    matrix: dict[str, dict[str, int]]
    #: On a list made now by both, by the first alone, by the second alone.
    both: int
    first_only: int
    second_only: int
    #: Of those on both lists, who stand elsewhere on it by more than a tenth of it.
    moved: int


def currencies(connection: Connection, campaign: CampaignSettings, at_us: int, zone: str) -> list[str]:
    """Return the currencies of the debts that a campaign works at an instant."""
    debts = chosen(campaign.selection, at_us, zone).subquery()
    return sorted(connection.execute(select(debts.c.currency).distinct()).scalars())


def counts(connection: Connection, campaign: CampaignSettings, strategy: Strategy, at_us: int, zone: str) -> Counts:
    """Count a campaign's people by the segments of a strategy's champion, at an instant."""
    made = _made(connection, campaign, strategy, at_us, zone)
    listing, book = made.listing, made.book
    place = listing.segments()
    segments = []
    for number, segment in enumerate(strategy.of_arm(strategy.arms[0].name).segments):
        here = place == number
        owed: Counter[str] = Counter()
        of = here[book.debts.row]
        for currency in sorted(set(book.debts.currency[of].tolist())):
            owed[currency] = int(book.debts.balance_minor[of & (book.debts.currency == currency)].sum())
        segments.append(
            SegmentCount(
                segment=segment.name,
                treatment=segment.treatment,
                accounts=int(here.sum()),
                owed_minor=dict(owed),
                listed=int((here & listing.called).sum()),
            )
        )
    return Counts(
        campaign=campaign.name,
        strategy=strategy.word,
        accounts=len(book.person),
        unreachable=int((book.n_phones == 0).sum()),
        held_out=int((listing.arm < 0).sum()),
        listed=int(listing.called.sum()),
        segments=segments,
    )


def moves(
    connection: Connection, campaign: CampaignSettings, first: Strategy, second: Strategy, at_us: int, zone: str
) -> Moves:
    """Count what changes for a campaign's people from one strategy's champion to another's, at an instant."""
    before, after = (_made(connection, campaign, one, at_us, zone) for one in (first, second))
    names = [[one.name for one in of.of_arm(of.arms[0].name).segments] for of in (first, second)]
    pairs = Counter(zip(before.listing.segments().tolist(), after.listing.segments().tolist(), strict=True))
    both = before.listing.called & after.listing.called
    shares = _shares(after)[both] - _shares(before)[both]
    return Moves(
        campaign=campaign.name,
        accounts=len(before.book.person),
        matrix={
            name: {to: pairs[i, k] for k, to in enumerate(names[1]) if pairs[i, k]} for i, name in enumerate(names[0])
        },
        both=int(both.sum()),
        first_only=int((before.listing.called & ~after.listing.called).sum()),
        second_only=int((after.listing.called & ~before.listing.called).sum()),
        moved=int((np.abs(shares) > 0.1).sum()),
    )


def _made(connection: Connection, campaign: CampaignSettings, strategy: Strategy, at_us: int, zone: str) -> Made:
    """Return the list of an instant, by the scores that would serve it."""
    chosen = attached(campaign, strategy)
    scores = score_fields.serving(lambda: nullcontext(connection), connection, at_us, wanted(chosen))
    return list_of(connection, chosen, at_us, zone, scores)


def _shares(made: Made) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return where everybody stands on the list, from 0 to 1; NaN: not on it."""
    order = made.listing.order
    found = np.full(len(made.book.person), np.nan)
    found[order] = np.arange(len(order)) / max(1, len(order) - 1)
    return found

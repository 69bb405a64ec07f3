"""Past decisions as another strategy would have taken them: what it needs to be valued from the record.

Each list that was made is made again, as known at its instant: by the document that ran, so that the chance of each
action under the debtor's own arm is known, and by the new one. The chance over all lots would not do: whoever is held
out has a history of his own, and the lots are no longer a matter of chance once that history is known. For the same
reason those held out are left out here.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select, text

from domain.errors import BadInput, Broken
from domain.events import FloorOpened
from domain.instants import DAY, SECOND
from domain.records import decode
from domain.settings import CampaignSettings
from ledger import decisions
from ledger.book import read_book
from ledger.plans import chosen
from ledger.schema import TERMS, decision, journal
from ledger.terms import known_streams
from ledger.trial_units import Prices, Units, read_units
from strategy.documents import HOLDOUT, Strategy
from strategy.listing import CALL, NONE, Stand, decide
from strategy.lots import draw

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

ACTIONS = (NONE, CALL)
#: What predicts money, of `strategy.fields`.
_FEATURES = ("balance", "balance_share", "days_past_due", "calls_7d", "contacts_30d", "days_since_payment", "n_phones")
_FOLDS = 4


class Log(NamedTuple):
    """Decisions with what came of them; (m,) or (m, 2) each."""

    reward: F8
    action: I8
    logged: F8
    new: F8
    debtor: I8
    features: F8
    fold: I8
    #: By which documents they were made, oldest first, with the number of decisions.
    by: dict[str, int]
    #: Left out: of those held out; made by documents that are not at hand; not made again as they were.
    held_out: int
    unknown: int
    differing: int


def documents(connection: Connection, campaign: str) -> dict[str, Strategy]:
    """Return the strategies that a campaign ever had while a floor ran, by NAME@VERSION, edited since or not.

    A floor opens with its settings in the journal, and those hold the document; what lists are made by is nothing else.
    """
    texts: dict[str, None] = {}
    for stream in known_streams(connection):
        opened = select(journal.c.payload).where(
            journal.c.stream == stream, journal.c.kind == FloorOpened.__name__, text(TERMS)
        )
        for payload in connection.execute(opened.order_by(journal.c.kind, journal.c.seq)).scalars():
            try:
                event: FloorOpened = decode(payload)  # type: ignore[assignment]
            except Broken:
                # Settings that this version would refuse: what else ran can still be told.
                continue
            texts |= {one.document: None for one in event.settings.campaigns if one.name == campaign and one.document}
    found = {}
    for document in texts:
        try:
            strategy = msgspec.json.decode(document, type=Strategy)
            found[strategy.word] = strategy
        except (msgspec.ValidationError, BadInput):
            # By a field that this version no longer has: counted as not at hand.
            continue
    return found


def log_of(
    connection: Connection,
    campaign: CampaignSettings,
    new: Strategy,
    ran: Mapping[str, Strategy],
    *,
    days: int,
    from_us: int,
    to_us: int,
    zone: str,
    prices: Prices,
    report: Callable[[str, int, int], None] = lambda _what, _done, _of: None,
) -> Log:
    """Return a campaign's decisions since an instant whose money is known until another, with the chances of both.

    Parameters
    ----------
    campaign : CampaignSettings
        Its selection and name; its own strategy is not looked at.
    ran : mapping of str to Strategy
        By NAME@VERSION, the documents that are at hand.
    days : int
        Money counts until so many days after a decision: what a trial counts, `Units.money`.
    """
    d = decision.c
    listed = select(d.plan, d.decided_us, d.strategy).where(
        d.campaign == campaign.name, d.decided_us >= from_us, d.decided_us + days * DAY <= to_us
    )
    plans = sorted(connection.execute(listed.distinct()).all())
    query = select(d.arm).where(d.campaign == campaign.name).distinct()
    arms = sorted(one for one in connection.execute(query).scalars() if one != HOLDOUT)
    units = read_units(connection, campaign.name, arms, from_us, to_us, zone, prices)
    row_of = {person: number for number, person in enumerate(units.person.tolist())}
    money = _Money(units, to_us)
    parts: list[tuple[F8, ...]] = []
    by: Counter[str] = Counter()
    # As if the new one had taken over then: who stands in a segment of the same name stands in it as long.
    stood = decisions.stands(connection, campaign.name, plans[0].decided_us) if plans else {}
    held_out = unknown = differing = 0
    for number, (plan, at_us, word) in enumerate(plans):
        report("lists", number, len(plans))
        book = read_book(connection, chosen(campaign.selection, at_us, zone, reachable=False, as_known=True), at_us)
        would = decide(new, campaign.name, book, at_us, zone, stood)
        place = {person: n for n, person in enumerate(book.person.tolist())}
        segments, since = would.segments(), would.since()
        names = [one.name for one in new.of_arm(new.arms[0].name).segments]
        stood |= {person: Stand(names[segments[n]], int(since[n])) for person, n in place.items()}
        rows = connection.execute(
            select(d.person, d.arm, d.action, d.p_action).where(d.plan == plan, d.campaign == campaign.name)
        ).all()
        out = [one for one in rows if one.arm == HOLDOUT]
        held_out += len(out)
        kept = [one for one in rows if one.arm != HOLDOUT]
        if (running := ran.get(word)) is None:
            unknown += len(kept)
            continue
        again = decide(running, campaign.name, book, at_us, zone, decisions.stands(connection, campaign.name, at_us))
        alike = [
            one
            for one in kept
            if (n := place.get(one.person)) is not None
            and again.arm[n] >= 0
            and running.arms[int(again.arm[n])].name == one.arm
            and bool(again.called[n]) == (one.action == CALL)
            and abs(float(again.p_call[n]) - decisions.chances(one.p_action)[CALL]) < 1e-6
        ]
        differing += len(kept) - len(alike)
        if not alike:
            continue
        by[word] += len(alike)
        at = np.array([place[one.person] for one in alike])
        of = np.array([row_of[one.person] for one in alike], np.int64)
        parts.append(
            (
                money.after(of, at_us, days),
                np.array([ACTIONS.index(one.action) for one in alike], np.float64),
                again.p_own[at],
                would.p_call[at],
                units.person[of].astype(np.float64),
                np.column_stack([would.columns[name][at].astype(np.float64) for name in _FEATURES]),
            )
        )
    if not parts:
        empty, none = np.empty(0), np.empty((0, 2))
        nobody = np.empty(0, np.int64)
        return Log(empty, nobody, none, none, nobody, none, nobody, {}, held_out, unknown, differing)
    reward, action, own, others, debtor, features = (np.concatenate(column) for column in zip(*parts, strict=True))
    people = debtor.astype(np.int64)
    return Log(
        reward=reward,
        action=action.astype(np.int64),
        logged=np.column_stack([1.0 - own, own]),
        new=np.column_stack([1.0 - others, others]),
        debtor=people,
        features=features,
        fold=(draw("off-policy fold", people) * _FOLDS).astype(np.int64),
        by=dict(by),
        held_out=held_out,
        unknown=unknown,
        differing=differing,
    )


class _Money:
    """What each person came to within a stretch, by the lines of money that a trial adds up too."""

    def __init__(self, units: Units, to_us: int) -> None:
        found = units.money(to_us)
        keys = _key(found.row, found.at_us)
        order = np.argsort(keys, kind="stable")
        self._keys = keys[order]
        self._sums = np.concatenate([[0.0], np.cumsum((found.collected - found.cost)[order])])

    def after(self, row: I8, at_us: int, days: int) -> F8:
        low, high = (np.searchsorted(self._keys, _key(row, when)) for when in (at_us, at_us + days * DAY))
        return np.asarray(self._sums[high] - self._sums[low], np.float64)


def _key(row: I8, at_us: I8 | int) -> I8:
    """Return a number that sorts by person, then by second."""
    return np.asarray(row * (1 << 33) + at_us // SECOND, np.int64)

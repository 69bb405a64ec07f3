"""What the agent of a call could offer: by the step under which it was decided, and what was owed then."""

import msgspec
from sqlalchemy import Connection

from domain.offers import Terms, terms_of
from ledger import queries
from ledger.people import dossiers


class Had(msgspec.Struct, frozen=True, kw_only=True):
    """What the agent of an attempt could offer."""

    call_id: str
    offered: queries.Offered
    #: By the balances known when it was talked about.
    terms: tuple[Terms, ...]


def had(connection: Connection, one: queries.Attempt) -> Had | None:
    """Return what an attempt's agent could offer; None: its step offered nothing."""
    offered = queries.offered(connection, one.call_id)
    if offered is None:
        return None
    (dossier,) = dossiers(connection, [one.person], known_us=one.talking_us or one.reserved_us)
    worked = [debt for debt in dossier.debts if debt.debt in one.debts]
    return Had(call_id=one.call_id, offered=offered, terms=terms_of(offered.offer, worked))


def offer_words(found: Had) -> str:
    """Return what an attempt's agent could offer, and by which step."""
    said = "; ".join(one.words["en"] for one in found.terms) or "nothing was owed any more"
    return f"{said} ({found.offered.treatment})"

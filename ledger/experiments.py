"""Trials on live people as the ledger keeps them: what was fixed before, who wanted and who allowed it, how it ended.

Four eyes: who asks and who approves are two people, of a start and of a promotion alike. Nothing fixed at the start is
ever changed; a trial that should have been another one is stopped, with its reason, and a new one started.
"""

import msgspec
from sqlalchemy import Connection, insert, select, update

from domain.errors import BadInput
from ledger.schema import experiment
from ledger.store import SqlLedger
from strategy.documents import Strategy


class Registered(msgspec.Struct, frozen=True, kw_only=True):
    """A trial on record."""

    name: str
    campaign: str
    #: NAME@VERSION of the document that draws the arms.
    strategy: str
    document: str
    unit: str
    metric: str
    alpha: float
    #: Days after its start.
    look_days: tuple[int, ...]
    mde: float | None
    started_us: int
    registered_us: int
    asked_by: str
    approved_by: str
    stopped_us: int | None = None
    stopped_by: str | None = None
    stopped_why: str | None = None
    promoted: str | None = None
    promoted_us: int | None = None
    promoted_asked_by: str | None = None
    promoted_approved_by: str | None = None
    promoted_despite: str | None = None
    promoted_strategy: str | None = None

    @property
    def read(self) -> Strategy:
        """Return the strategy as it was started."""
        return msgspec.json.decode(self.document, type=Strategy)


def four_eyes(asked_by: str, approved_by: str) -> None:
    """Refuse what one person alone wants.

    Raises
    ------
    BadInput
        When a name is missing, or both are the same.
    """
    for option, name in (("--asked-by", asked_by), ("--approved-by", approved_by)):
        if not name.strip():
            raise BadInput(f"experiment: {option} names nobody; four eyes are needed: name who it is")
    if asked_by.strip().casefold() == approved_by.strip().casefold():
        raise BadInput(
            f"experiment: --approved-by is {approved_by!r}, who asks for it too; have somebody else approve it"
        )


def register(ledger: SqlLedger, one: Registered) -> None:
    """Write a trial down.

    Raises
    ------
    BadInput
        When there is one of its name, or another of its campaign has not been stopped.
    """
    four_eyes(one.asked_by, one.approved_by)
    with ledger.writing() as connection:
        if connection.execute(select(experiment.c.id).where(experiment.c.name == one.name)).first():
            raise BadInput(f"experiment start: there is an experiment {one.name!r} already; give --name another word")
        running = select(experiment.c.name).where(
            experiment.c.campaign == one.campaign, experiment.c.stopped_us.is_(None)
        )
        if (other := connection.execute(running).scalar()) is not None:
            raise BadInput(
                f"experiment start: experiment {other!r} of campaign {one.campaign} still runs; stop it before: "
                f'cadencia experiment stop {other} --why "…"'
            )
        told = {name: getattr(one, name) for name in one.__struct_fields__}
        connection.execute(insert(experiment).values(told | {"look_days": msgspec.json.encode(one.look_days).decode()}))


def experiments(connection: Connection) -> list[Registered]:
    """Return all trials on record, in the order in which they were written down."""
    names = Registered.__struct_fields__
    rows = connection.execute(select(*(experiment.c[name] for name in names)).order_by(experiment.c.id))
    return [
        Registered(**row._asdict() | {"look_days": msgspec.json.decode(row.look_days, type=tuple[int, ...])})
        for row in rows
    ]


def find(connection: Connection, word: str) -> Registered:
    """Return a trial by its name, or the last one of a campaign; without a word, the last of all.

    Raises
    ------
    BadInput
        When there is none.
    """
    known = experiments(connection)
    named = [one for one in known if one.name == word] or [one for one in known if word in ("", one.campaign)]
    if not named:
        if not known:
            raise BadInput("experiment: none is on record yet; cadencia experiment start CAMPAIGN begins one")
        names = ", ".join(one.name for one in known)
        raise BadInput(f"experiment {word!r}: the ledger has none of that name or campaign; it has {names}")
    return named[-1]


def stop(ledger: SqlLedger, name: str, *, by: str, why: str, at_us: int) -> None:
    """End a trial: what comes later does not count.

    Raises
    ------
    BadInput
        When it has ended, or no reason is given.
    """
    if not why.strip():
        raise BadInput("experiment stop: --why is empty; say why it ends, for whoever reads the record later")
    with ledger.writing() as connection:
        ended = update(experiment).where(experiment.c.name == name, experiment.c.stopped_us.is_(None))
        if not connection.execute(ended.values(stopped_us=at_us, stopped_by=by, stopped_why=why)).rowcount:
            raise BadInput(f"experiment stop: {name!r} has been stopped before; cadencia experiment status {name}")


def promote(
    ledger: SqlLedger, one: Registered, arm: str, strategy: str, *, asked_by: str, approved_by: str,
    despite: str | None, at_us: int,
) -> None:  # fmt: skip
    """Write down which arm became the champion, and who wanted and allowed it; a trial that runs ends by it.

    Raises
    ------
    BadInput
        When one person alone wants it, or an arm was promoted before.
    """
    four_eyes(asked_by, approved_by)
    with ledger.writing() as connection:
        mine = update(experiment).where(experiment.c.name == one.name)
        changed = connection.execute(
            mine.where(experiment.c.promoted.is_(None)).values(
                promoted=arm,
                promoted_us=at_us,
                promoted_asked_by=asked_by,
                promoted_approved_by=approved_by,
                promoted_despite=despite,
                promoted_strategy=strategy,
            )
        )
        if not changed.rowcount:
            raise BadInput(f"experiment promote: an arm of {one.name!r} has been promoted before; start a new one")
        connection.execute(
            mine.where(experiment.c.stopped_us.is_(None)).values(
                stopped_us=at_us, stopped_by=asked_by, stopped_why=f"{arm} was promoted"
            )
        )

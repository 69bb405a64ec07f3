"""A contact, the debtor, and what was on record: what the checker reads out of the tables and asks the law about."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """One line of a person's contact history."""

    at_us: int
    event: str
    channel: str
    inbound: bool
    phone: int | None
    address_type: str | None
    creditor: int | None
    debts: tuple[int, ...]
    #: Attempt or message that it tells of; None: imported.
    attempt: str | None
    #: Whose record it stands on.
    person: int


@dataclass(frozen=True)
class Held:
    """A stop or a consent."""

    kind: str
    debt: int | None
    phone: int | None
    channel: str | None
    until_us: int | None


@dataclass(frozen=True)
class Number:
    phone: int
    country: str
    line_type: str
    geographic: bool
    zones: tuple[str, ...]
    address_type: str | None


@dataclass(frozen=True)
class Debtor:
    """What the tables say of a person for good."""

    person: int
    country: str
    region: str | None
    city: str | None
    address_zones: tuple[str, ...]
    numbers: dict[int, Number]
    #: Creditor by debt.
    owed: dict[int, int]


@dataclass(frozen=True)
class Asked:
    """A contact, and what was on record when it was decided."""

    debtor: Debtor
    channel: str
    number: Number | None
    debts: tuple[int, ...]
    actor: str
    purpose: str
    #: The campaign calls only when an agent is free.
    guaranteed: bool
    #: An agent was kept for this one call.
    agent_held: bool = False
    #: Of its debts, those that had been paid or taken back.
    closed: frozenset[int] = frozenset()
    stops: tuple[Held, ...] = ()
    consents: tuple[Held, ...] = ()
    #: The person's own, and those of the others named below.
    lines: tuple[Line, ...] = ()
    #: Who else lives there, and who else has the number.
    home: frozenset[int] = frozenset()
    sharing: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Denial:
    #: windows, caps, cooldowns, stops, paid, consents or agents.
    kind: str
    rule: str
    #: Attempts that were counted.
    attempts: tuple[str, ...] = ()

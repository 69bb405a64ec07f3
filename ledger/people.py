"""Dossiers out of the tables, in bulk; and people put straight into them where no import is needed."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, Table, and_, func, insert, or_, select

from domain.instants import DAY
from domain.people import CapKey, Consent, ContactEvent, Debt, Dossier, PastContact, Phone, Stop, StopKind
from ledger.reservations import BATCH, batches, upsert, versions
from ledger.schema import (
    balance_history,
    cap_key,
    consent,
    creditor,
    debt,
    history,
    household,
    person,
    person_phone,
    phone,
    phone_register,
    register,
    stop,
)

#: Contact law looks back 30 days; some more, for zones and for days that are longer than 24 hours.
LOOK_BACK_US = 32 * DAY

#: In the history: this attempt was never dialled after all, its `dialed` counts for nothing.
NOT_DIALLED = "not_dialled"

_LADDER = {str(event): event for event in ContactEvent}


def ids(numbers: Iterable[int]) -> str:
    """Return ids as a column holds them."""
    return ",".join(map(str, numbers))


def from_ids(column: str) -> tuple[int, ...]:
    """Return the ids that a column holds."""
    return tuple(map(int, column.split(","))) if column else ()


def dossiers(
    connection: Connection, persons: Sequence[int], at_us: int | None = None, *, known_us: int | None = None
) -> list[Dossier]:
    """Return what is on record about people, in the order asked; who is not on record is left out.

    Parameters
    ----------
    at_us : int or None
        The history starts `LOOK_BACK_US` before this instant; None: with the first contact on record.
    known_us : int or None
        Debts, stops, consents and history as they were known at this instant; None: as they are. Numbers and address
        are always those of now: the record does not keep their past.
    """
    found: dict[int, Dossier] = {}
    for batch in batches(dict.fromkeys(persons), BATCH // 2):
        for dossier in _batch(connection, batch, at_us, known_us):
            found[dossier.person] = dossier
    return [found[one] for one in persons if one in found]


def _batch(connection: Connection, persons: list[int], at_us: int | None, known_us: int | None) -> Iterable[Dossier]:
    # PostgreSQL shows each statement what was committed by then. So a version is read before what it vouches for, and
    # the person's, which vouches for the keys themselves, before all: what came meanwhile makes a reservation stale.
    standing = versions(connection, {f"person:{one}" for one in persons})
    keys = _keys(connection, persons)
    standing |= versions(connection, {key for own in keys.values() for key in own} - standing.keys())
    people = connection.execute(
        select(
            person.c.id,
            person.c.country,
            person.c.region,
            person.c.city,
            person.c.address_zones,
            person.c.language,
        ).where(person.c.id.in_(persons))
    ).all()
    debts = _debts(connection, persons)
    if known_us is not None:
        debts = _debts_then(connection, debts, known_us)
    phones = _phones(connection, persons)
    stops = _stops(connection, persons, known_us)
    consents = _consents(connection, persons, known_us)
    contacts = _contacts(connection, persons, at_us, known_us)
    others = _others(connection, persons, at_us, known_us)
    for row in people:
        yield Dossier(
            person=row.id,
            keys=tuple(CapKey(key, standing[key]) for key in keys[row.id]),
            country=row.country,
            region=row.region,
            city=row.city,
            address_zones=_zones(row.address_zones),
            language=row.language,
            debts=tuple(debts[row.id]),
            phones=tuple(phones[row.id]),
            stops=tuple(stops[row.id]),
            consents=tuple(consents[row.id]),
            history=_history(contacts[row.id], debts[row.id]),
            others=others.get(row.id, ()),
        )


def _keys(connection: Connection, persons: list[int]) -> dict[int, list[str]]:
    query = (
        select(person.c.id, person.c.household, person_phone.c.phone)
        .outerjoin(person_phone, and_(person_phone.c.person == person.c.id, person_phone.c.status != "withdrawn"))
        .where(person.c.id.in_(persons))
    )
    found: dict[int, set[str]] = defaultdict(set)
    for one, home, number in connection.execute(query):
        found[one].add(f"person:{one}")
        if home is not None:
            found[one].add(f"household:{home}")
        if number is not None:
            found[one].add(f"phone:{number}")
    return {one: sorted(own) for one, own in found.items()}


def _zones(column: str) -> tuple[str, ...]:
    return tuple(column.split(",")) if column else ()


def _debts(connection: Connection, persons: list[int]) -> dict[int, list[Debt]]:
    query = (
        select(
            debt.c.person,
            debt.c.id,
            debt.c.creditor,
            debt.c.balance_minor,
            debt.c.currency,
            debt.c.due_on,
            debt.c.product,
            debt.c.state,
        )
        .where(debt.c.person.in_(persons))
        .order_by(debt.c.id)
    )
    found: dict[int, list[Debt]] = defaultdict(list)
    for one, number, owed_to, balance_minor, currency, due_on, product, state in connection.execute(query):
        found[one].append(
            Debt(
                debt=number,
                creditor=owed_to,
                balance_minor=balance_minor,
                currency=currency,
                due_on=due_on,
                product=product,
                state=state,
            )
        )
    return found


def _debts_then(connection: Connection, debts: dict[int, list[Debt]], known_us: int) -> dict[int, list[Debt]]:
    """Return the debts that were known at an instant, as they stood then."""
    numbers = [one.debt for owed in debts.values() for one in owed]
    #: None: not known yet. Debts that never came through an import have no past, and are as they are.
    then: dict[int, tuple[int, str, str] | None] = {}
    columns = balance_history.c
    query = (
        select(columns.debt, columns.known_us, columns.balance_minor, columns.currency, columns.state)
        .where(columns.debt.in_(numbers))
        .order_by(columns.known_us, columns.id)
    )
    for number, since_us, balance_minor, currency, state in connection.execute(query):
        stood = (balance_minor, currency, state) if since_us <= known_us else None
        then[number] = stood or then.get(number)
    found: dict[int, list[Debt]] = defaultdict(list)
    for one, owed in debts.items():
        for debt_now in owed:
            stood = then.get(debt_now.debt, (debt_now.balance_minor, debt_now.currency, debt_now.state))
            if stood is not None:
                balance_minor, currency, state = stood
                found[one].append(
                    msgspec.structs.replace(debt_now, balance_minor=balance_minor, currency=currency, state=state)
                )
    return found


def _phones(connection: Connection, persons: list[int]) -> dict[int, list[Phone]]:
    query = (
        select(
            person_phone.c.person,
            phone.c.id,
            phone.c.country,
            phone.c.line_type,
            phone.c.geographic,
            phone.c.zones,
            person_phone.c.address_type,
        )
        .join(phone, phone.c.id == person_phone.c.phone)
        .where(person_phone.c.person.in_(persons), person_phone.c.status != "withdrawn")
        .order_by(person_phone.c.rank, phone.c.id)
    )
    listed: dict[int, list[str]] = defaultdict(list)
    registered = (
        select(phone_register.c.phone, register.c.name)
        .distinct()
        .join(person_phone, person_phone.c.phone == phone_register.c.phone)
        .join(register, register.c.id == phone_register.c.register)
        .where(person_phone.c.person.in_(persons))
        .order_by(register.c.name)
    )
    for number, name in connection.execute(registered):
        listed[number].append(name)
    found: dict[int, list[Phone]] = defaultdict(list)
    for one, number, country, line_type, geographic, zones, address_type in connection.execute(query):
        found[one].append(
            Phone(
                phone=number,
                country=country,
                line_type=line_type,
                geographic=geographic,
                zones=_zones(zones),
                address_type=address_type,
                registers=tuple(listed.get(number, ())),
            )
        )
    return found


def _stood(table: Table, ended: str, known_us: int | None) -> ColumnElement[bool]:
    """Return what selects the rows of a table that stand now, or stood as known at an instant."""
    if known_us is None:
        return table.c[ended].is_(None)
    return and_(table.c.known_us <= known_us, or_(table.c[ended].is_(None), table.c[ended] > known_us))


def _stops(connection: Connection, persons: list[int], known_us: int | None) -> dict[int, list[Stop]]:
    query = (
        select(stop.c.person, stop.c.kind, stop.c.debt, stop.c.phone, stop.c.channel, stop.c.until_us)
        .where(stop.c.person.in_(persons), _stood(stop, "lifted_us", known_us))
        .order_by(stop.c.id)
    )
    found: dict[int, list[Stop]] = defaultdict(list)
    for one, kind, owed, number, channel, until_us in connection.execute(query):
        found[one].append(Stop(kind=StopKind(kind), debt=owed, phone=number, channel=channel, until_us=until_us))
    return found


def _consents(connection: Connection, persons: list[int], known_us: int | None) -> dict[int, list[Consent]]:
    query = (
        select(consent.c.person, consent.c.kind, consent.c.channel, consent.c.phone, consent.c.until_us)
        .where(consent.c.person.in_(persons), _stood(consent, "revoked_us", known_us))
        .order_by(consent.c.id)
    )
    found: dict[int, list[Consent]] = defaultdict(list)
    for one, kind, channel, number, until_us in connection.execute(query):
        found[one].append(Consent(kind=kind, channel=channel, phone=number, until_us=until_us))
    return found


def _contacts(
    connection: Connection, persons: list[int], at_us: int | None, known_us: int | None
) -> dict[int, list[tuple[Any, ...]]]:
    query: Select[Any] = select(
        history.c.person,
        history.c.event_us,
        history.c.event,
        history.c.channel,
        history.c.inbound,
        history.c.phone,
        history.c.address_type,
        history.c.creditor,
        history.c.debts,
        history.c.attempt,
    ).where(history.c.person.in_(persons), history.c.channel.is_not(None))
    if at_us is not None:
        query = query.where(history.c.event_us >= at_us - LOOK_BACK_US)
    if known_us is not None:
        query = query.where(history.c.known_us <= known_us)
    found: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for row in connection.execute(query.order_by(history.c.event_us, history.c.id)).all():
        found[row[0]].append(tuple(row))
    return found


def _others(
    connection: Connection, persons: list[int], at_us: int | None, known_us: int | None
) -> dict[int, tuple[PastContact, ...]]:
    """Return the lines of others that rows may count too: of the same household, or on one of the person's numbers."""
    mate, holder = person.alias(), person_phone.alias()
    homes = (
        select(person.c.id, mate.c.id)
        .join(mate, mate.c.household == person.c.household)
        .where(person.c.id.in_(persons), mate.c.id != person.c.id)
    )
    shared = (
        select(person_phone.c.person, holder.c.person, person_phone.c.phone)
        .join(holder, holder.c.phone == person_phone.c.phone)
        .where(
            person_phone.c.person.in_(persons),
            person_phone.c.status != "withdrawn",
            holder.c.person != person_phone.c.person,
        )
    )
    mates: dict[int, dict[int, None]] = defaultdict(dict)
    numbers: dict[int, dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    for one, other in connection.execute(homes):
        mates[one][other] = None
    for one, other, number in connection.execute(shared):
        numbers[one][other].add(number)
    whose = dict.fromkeys(
        [other for found in mates.values() for other in found]
        + [other for found in numbers.values() for other in found]
    )
    told: dict[int, tuple[PastContact, ...]] = {}
    for batch in batches(whose):
        debts, contacts = _debts(connection, batch), _contacts(connection, batch, at_us, known_us)
        told |= {other: _history(contacts[other], debts[other]) for other in batch if contacts[other]}
    found: dict[int, tuple[PastContact, ...]] = {}
    for one in dict.fromkeys([*mates, *numbers]) if told else ():
        at_home = mates.get(one, {})
        lines = [msgspec.structs.replace(line, of="household") for other in at_home for line in told.get(other, ())]
        for other, common in numbers.get(one, {}).items():
            for line in told.get(other, ()):
                if line.phone is None:
                    # It may have been any number that the other has.
                    lines += [msgspec.structs.replace(line, of="phone", phone=number) for number in sorted(common)]
                elif line.phone in common and other not in at_home:
                    lines.append(msgspec.structs.replace(line, of="phone"))
        found[one] = tuple(sorted(lines, key=_by_time))
    return found


def _by_time(line: PastContact) -> tuple[int, str, int]:
    return line.at_us, line.attempt or "", line.phone or 0


def _history(rows: list[tuple[Any, ...]], owed: list[Debt]) -> tuple[PastContact, ...]:
    """Fold history rows into one line an attempt: when it was dialled, and the last rung it reached."""
    lines: list[PastContact] = []
    place: dict[str, int] = {}
    undone: set[str] = set()
    for _, at_us, event, channel, inbound, number, address_type, owed_to, concerned, attempt in rows:
        if event == NOT_DIALLED:
            undone.add(attempt)
            continue
        if attempt in place:
            known = place[attempt]
            lines[known] = msgspec.structs.replace(lines[known], event=_LADDER[event])
            continue
        if attempt is not None:
            place[attempt] = len(lines)
        debts = from_ids(concerned)
        lines.append(
            PastContact(
                at_us=at_us,
                event=_LADDER[event],
                channel=channel,
                inbound=inbound,
                phone=number,
                creditor=owed_to or next((one.creditor for one in owed if one.debt in debts), None),
                debts=debts,
                attempt=attempt,
                address_type=address_type,
            )
        )
    return tuple(line for line in lines if line.attempt not in undone) if undone else tuple(lines)


def enroll(connection: Connection, people: Iterable[Dossier], numbers: Mapping[int, str], at_us: int) -> None:
    """Put people into the tables under their own ids, as if an import had: for simulated worlds and tests.

    Parameters
    ----------
    numbers : mapping of int to str
        E.164 of phone ids; a phone without one has none on record and cannot be dialled.
    """
    rows = enrolled(people, numbers, at_us)
    for table in (creditor, household, phone, cap_key):
        if rows[table.name]:
            connection.execute(upsert(connection, table).on_conflict_do_nothing(), rows[table.name])
    for table in (person, person_phone, debt, stop, consent, history):
        if rows[table.name]:
            connection.execute(insert(table), rows[table.name])
    if connection.dialect.name == "postgresql":
        for table in (creditor, household, person, phone, debt):
            sequence = func.pg_get_serial_sequence(table.name, "id")
            connection.execute(select(func.setval(sequence, select(func.max(table.c.id)).scalar_subquery())))


def enrolled(people: Iterable[Dossier], numbers: Mapping[int, str], at_us: int) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of `enroll`, by table."""
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for dossier in people:
        home = next((int(cap.key[10:]) for cap in dossier.keys if cap.key.startswith("household:")), None)
        rows["household"] += [] if home is None else [{"id": home, "ref": f"household {home}"}]
        rows["person"].append(
            {
                "id": dossier.person,
                "household": home,
                "language": dossier.language,
                "country": dossier.country,
                "region": dossier.region,
                "city": dossier.city,
                "address_zones": ",".join(dossier.address_zones),
                "created_us": at_us,
            }
        )
        rows["cap_key"] += [{"key": cap.key, "version": cap.version} for cap in dossier.keys if cap.version]
        for owed in dossier.debts:
            rows["creditor"].append({"id": owed.creditor, "name": f"creditor {owed.creditor}"})
            rows["debt"].append(
                {
                    "id": owed.debt,
                    "creditor": owed.creditor,
                    "account": str(owed.debt),
                    "person": dossier.person,
                    "product": owed.product,
                    "balance_minor": owed.balance_minor,
                    "currency": owed.currency,
                    "due_on": owed.due_on,
                    "state": owed.state,
                    "first_seen_us": at_us,
                    "last_seen_us": at_us,
                }
            )
        for rank, number in enumerate(dossier.phones):
            rows["phone"].append(
                {
                    "id": number.phone,
                    "e164": numbers.get(number.phone),
                    "country": number.country,
                    "line_type": number.line_type,
                    "geographic": number.geographic,
                    "zones": ",".join(number.zones),
                }
            )
            rows["person_phone"].append(
                {
                    "person": dossier.person,
                    "phone": number.phone,
                    "rank": rank,
                    "address_type": number.address_type,
                }
            )
        seen = {"person": dossier.person, "event_us": at_us, "known_us": at_us, "source": "enrolled"}
        rows["stop"] += [
            seen
            | {
                "kind": one.kind,
                "debt": one.debt,
                "phone": one.phone,
                "channel": one.channel,
                "until_us": one.until_us,
            }
            for one in dossier.stops
        ]
        rows["consent"] += [
            seen | {"kind": one.kind, "channel": one.channel, "phone": one.phone, "until_us": one.until_us}
            for one in dossier.consents
        ]
        rows["history"] += [
            {
                "event_us": line.at_us,
                "known_us": at_us,
                "person": dossier.person,
                "debts": ids(line.debts),
                "phone": line.phone,
                "address_type": line.address_type,
                "creditor": line.creditor,
                "channel": line.channel,
                "inbound": line.inbound,
                "event": line.event,
                "attempt": line.attempt,
            }
            for line in dossier.history
        ]
    return rows

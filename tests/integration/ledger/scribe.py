"""People, and rows about them as an engine would write them."""

from collections.abc import Sequence

from domain.calls import AgentState, AnswerClass, CampaignState, Cause, Disposition, Mode, Phase
from domain.events import Answered, Connected, Disposed, Ended, FloorOpened, Reserved, Ringing
from domain.facts import AgentShifted, AttemptClosed, CallClassed, CallMoved, CampaignShifted, LeadClosed
from domain.instants import MINUTE, SECOND, parse
from domain.orders import Originate, Reserve
from domain.people import CapKey, Debt, Dossier, Phone, Verdict, rung
from domain.records import Record, Row
from domain.settings import CampaignSettings, FloorSettings
from ledger.people import enroll
from ledger.reservations import announce, bump
from ledger.store import SqlLedger

NOW = parse("2026-11-18T15:30:00Z")
SETTINGS = FloorSettings(campaigns=(CampaignSettings(name="spring"), CampaignSettings(name="autumn")))


def person(number: int, *, home: int | None = None, n_phones: int = 1, country: str = "ES", **more: object) -> Dossier:
    """Return somebody who owes one debt, with ids that tell whose they are."""
    phones = tuple(Phone(phone=number * 10 + i, country=country, line_type="mobile") for i in range(n_phones))
    keys = [f"person:{number}", *(f"phone:{phone.phone}" for phone in phones)]
    if home is not None:
        keys.append(f"household:{home}")
    fields: dict[str, object] = {
        "debts": (Debt(debt=number * 100, creditor=1, balance_minor=10_000 + number, currency="EUR"),),
        "phones": phones,
        "language": "es",
    } | more
    return Dossier(
        person=number,
        keys=tuple(CapKey(key, 0) for key in sorted(keys)),
        country=country,
        **fields,  # type: ignore[arg-type]
    )


def number_of(phone: int) -> str:
    return f"+34600{phone:06d}"


def settle(ledger: SqlLedger, people: Sequence[Dossier], at_us: int = NOW) -> None:
    """Put people into a ledger."""
    numbers = {phone.phone: number_of(phone.phone) for one in people for phone in one.phones}
    with ledger.writing() as connection:
        enroll(connection, people, numbers, at_us)


def touch(ledger: SqlLedger, persons: Sequence[int]) -> None:
    """Write about people as payments and imports do."""
    with ledger.writing() as connection:
        bump(connection, (f"person:{number}" for number in persons))
        announce(connection, persons, NOW)


def reserve(dossier: Dossier, call_id: str, *, campaign: str = "spring", phone: int | None = None) -> Reserve:
    """Return the order for a call at the versions of a dossier."""
    number = phone if phone is not None else dossier.phones[0].phone
    return Reserve(
        call_id=call_id,
        campaign=campaign,
        person=dossier.person,
        debts=tuple(debt.debt for debt in dossier.debts),
        phone=number,
        keys=tuple(key for key in dossier.keys if not key.key.startswith("phone:") or key.key == f"phone:{number}"),
        mode=Mode.progressive,
        verdict=Verdict(allowed=True, rules="r1", local_time="2026-11-18T16:30"),
        node="main",
        trunk="trunk",
        caller_id="+34910000000",
        ordinal=1,
        p_answer=0.25,
    )


class Scribe:
    """Numbers the rows of one stream."""

    def __init__(self, stream: str = "floor", at_us: int = NOW) -> None:
        self.stream = stream
        self.seq = 0
        self.at_us = at_us

    @property
    def next_id(self) -> str:
        return f"{self.stream}-{self.seq + 1}"

    def rows(self, *records: Record, campaign: str | None = "spring") -> list[Row]:
        """Return the records as the next rows, a second after the last."""
        self.at_us += SECOND
        rows = []
        for record in records:
            self.seq += 1
            rows.append(Row(stream=self.stream, seq=self.seq, at_us=self.at_us, campaign=campaign, record=record))
        return rows

    def opened(self) -> list[Row]:
        return self.rows(
            FloorOpened(at_us=self.at_us + SECOND, settings=SETTINGS, rules="r1", versions={"cadencia": "0"}),
            CampaignShifted(campaign="spring", state=CampaignState.running),
            campaign=None,
        )

    def reserve(self, dossier: Dossier, *, campaign: str = "spring") -> list[Row]:
        return self.rows(reserve(dossier, self.next_id, campaign=campaign), campaign=campaign)

    def dialled(self, answer: Reserved, dossier: Dossier, *, campaign: str = "spring") -> list[Row]:
        """Return what follows a granted reservation up to the call's leaving."""
        order = Originate(
            call_id=answer.call_id,
            campaign=campaign,
            phone=dossier.phones[0].phone,
            node="main",
            trunk="trunk",
            caller_id="+34910000000",
            ring_timeout_ms=25_000,
            valid_until_us=self.at_us + MINUTE,
            detect=False,
            record=False,
            grace_ms=300,
            limit_ms=1700,
            abandon="hangup",
            language="es",
        )
        return self.rows(answer, order, campaign=campaign)

    def ringing(self, call_id: str) -> list[Row]:
        return self.rows(Ringing(at_us=self.at_us + SECOND, call_id=call_id))

    def talked(self, call_id: str, agent: str = "ana") -> list[Row]:
        """Return the rows of an answered call that met an agent."""
        return [
            *self.rows(
                Answered(at_us=self.at_us + SECOND, call_id=call_id), CallMoved(call_id=call_id, phase=Phase.waiting)
            ),
            *self.rows(
                Connected(at_us=self.at_us + SECOND, call_id=call_id, agent=agent),
                CallMoved(call_id=call_id, phase=Phase.talking, agent=agent),
                CallClassed(call_id=call_id, answer_class=AnswerClass.connected, wait_us=SECOND),
                AgentShifted(agent=agent, state=AgentState.talking, call_id=call_id),
            ),
        ]

    def closed(
        self, call_id: str, dossier: Dossier, disposition: Disposition, *, said: Disposed | None = None
    ) -> list[Row]:
        """Return the rows of a call's end, 5 s of wrap-up included where somebody said something."""
        rows = self.rows(
            Ended(at_us=self.at_us + SECOND, call_id=call_id, cause=Cause.normal),
            CallMoved(call_id=call_id, phase=Phase.wrapping),
        )
        if said is not None:
            self.at_us += 4 * SECOND
            rows += self.rows(said)
        rows += self.rows(
            AttemptClosed(
                call_id=call_id,
                campaign="spring",
                person=dossier.person,
                phone=dossier.phones[0].phone,
                disposition=disposition,
                event=rung(disposition),
                wrap_us=None if said is None else self.at_us + SECOND - rows[0].at_us,
            ),
            LeadClosed(campaign="spring", person=dossier.person, why=disposition),
        )
        return rows

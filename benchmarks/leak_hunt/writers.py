"""Who else writes about the people of the floors: channels, calls by hand, debtors who call, stops, consents, payments.

Each judges and reserves as a process of its own would: by the gate, on a dossier that it read a while ago, against the
versions in the ledger's transaction.
"""

import random
from collections.abc import Callable
from pathlib import Path

from simpy import Environment
from sqlalchemy import Connection, insert, update

from benchmarks.leak_hunt.people import CONSENTS, OF_A_DEBT, STOPS, Portfolio
from dialer.engine import Gate
from domain.calls import Mode
from domain.events import Stale
from domain.instants import DAY, MINUTE, SECOND, to_datetime
from domain.orders import Reserve
from domain.people import CapKey, ContactEvent, Dossier, Phone, Verdict
from domain.settings import CampaignSettings
from ledger.payments import import_payments
from ledger.people import ids
from ledger.reservations import announce, bump, compare, versions
from ledger.schema import consent, history, stop
from ledger.standing import put_consents, put_stops
from ledger.store import SqlLedger
from simulation.alarms import Alarm

_WRITTEN = ("sms", "sms", "email", "im")
_ENDS = (
    ContactEvent.no_answer,
    ContactEvent.busy,
    ContactEvent.voicemail_left,
    ContactEvent.third_party,
    ContactEvent.right_party_contact,
)
#: Of each person in a week, on average.
_RATES = {
    "message": 15.0,
    "hand": 25.0,
    "inbound": 0.3,
    "stop": 0.4,
    "lift": 1.5,
    "consent": 0.4,
    "revoke": 0.5,
}
#: Files of payments in a week, and payments in one for each person.
_FILES, _PAYMENTS = 10.0, 0.05


class Writers:
    """All that is not a floor, on one ledger.

    Parameters
    ----------
    name : str
        Of this process; begins the ids of what it sends.
    folder : Path or None
        For files of payments; None: brings none.
    """

    def __init__(
        self,
        env: Environment,
        ledger: SqlLedger,
        gate: Gate,
        portfolio: Portfolio,
        campaigns: list[CampaignSettings],
        name: str,
        folder: Path | None,
        seed: int,
        share: float = 1.0,
    ) -> None:
        self._env = env
        self._ledger = ledger
        self._gate = gate
        self._people = [one.person for one in portfolio.people]
        self._debts = [(one.person, debt.debt, debt.creditor) for one in portfolio.people for debt in one.debts]
        self._campaigns = campaigns
        self._name = name
        self._folder = folder
        self._chance = random.Random(seed)
        self._share = share
        self._made = 0

    def start(self) -> None:
        acts: dict[str, Callable[[int], None]] = {
            "message": self._message,
            "hand": self._call_by_hand,
            "inbound": self._inbound,
            "stop": self._stop,
            "lift": self._lift,
            "consent": self._consent,
            "revoke": self._revoke,
        }
        for name, act in acts.items():
            self._again((7 * DAY) / (_RATES[name] * len(self._people) * self._share), act)
        if self._folder is not None:
            self._again(7 * DAY / _FILES, self._pay)

    def _again(self, mean_us: float, act: Callable[[int], None]) -> None:
        def due(_: None) -> None:
            act(self._chance.choice(self._people))
            self._again(mean_us, act)

        self._later(int(self._chance.expovariate(1.0 / mean_us)), due, None)

    def _later(self, after_us: int, act: Callable[..., None], subject: object) -> None:
        Alarm(self._env, after_us, act, subject)

    @property
    def _now_us(self) -> int:
        return int(self._env.now)

    def _next_id(self, kind: str) -> str:
        self._made += 1
        return f"{kind}-{self._name}-{self._made}"

    def _thinking_us(self) -> int:
        """From the verdict to the reservation: mostly at once, sometimes so late that others were there before."""
        chance = self._chance
        return chance.choice((10_000, 10_000, int(chance.expovariate(1 / (5 * SECOND))), chance.randint(0, 5 * MINUTE)))

    # ---- contacts

    def _judged(self, person: int, channel: str) -> tuple[Dossier, Phone | None, CampaignSettings, Verdict] | None:
        chance = self._chance
        (dossier,) = self._ledger.dossiers([person], self._now_us)
        phone = None if channel == "email" else chance.choice(dossier.phones)
        campaign = chance.choice(self._campaigns)
        verdict = self._gate.judge(
            dossier,
            at_us=self._now_us,
            channel=channel,
            phone=phone,
            debts=tuple(debt.debt for debt in dossier.debts if debt.state == "open"),
            actor=campaign.actor,
            purpose=campaign.purpose,
            live_agent_guaranteed=channel == "call",
        )
        return (dossier, phone, campaign, verdict) if verdict.allowed else None

    def _reserve(self, person: int, channel: str) -> Reserve | None:
        found = self._judged(person, channel)
        if found is None:
            return None
        dossier, phone, campaign, verdict = found
        return Reserve(
            call_id=self._next_id("hand" if channel == "call" else channel),
            campaign=campaign.name,
            person=person,
            debts=tuple(debt.debt for debt in dossier.debts if debt.state == "open"),
            phone=0 if phone is None else phone.phone,
            keys=_keys(dossier, phone),
            mode=Mode.preview,
            verdict=verdict,
            node="",
            trunk="",
            caller_id="",
            ordinal=1,
            agent="by hand",
        )

    def _call_by_hand(self, person: int) -> None:
        order = self._reserve(person, "call")
        if order is not None:
            self._later(self._thinking_us(), self._dial, order)

    def _dial(self, order: Reserve) -> None:
        if order.verdict.valid_until_us is not None and self._now_us >= order.verdict.valid_until_us:
            return
        (answer,) = self._ledger.reserve([order], self._now_us)
        if not isinstance(answer, Stale):
            self._later(self._chance.randint(10, 900) * SECOND, self._hung_up, order)

    def _hung_up(self, order: Reserve) -> None:
        with self._ledger.writing() as connection:
            bump(connection, [key.key for key in order.keys])
            line = _line(order, "call", self._now_us) | {"event": self._chance.choice(_ENDS)}
            connection.execute(insert(history), line)
            announce(connection, [order.person], self._now_us)

    def _message(self, person: int) -> None:
        channel = self._chance.choice(_WRITTEN)
        order = self._reserve(person, channel)
        if order is not None:
            self._later(self._thinking_us(), self._send, (order, channel))

    def _send(self, message: tuple[Reserve, str]) -> None:
        """Journal, then contact: the line of the history stands when the message leaves."""
        order, channel = message
        if order.verdict.valid_until_us is not None and self._now_us >= order.verdict.valid_until_us:
            return
        with self._ledger.writing() as connection:
            standing = versions(connection, {key.key for key in order.keys}, lock=True)
            if compare(order.keys, standing) is None:
                return
            bump(connection, [key.key for key in order.keys])
            line = _line(order, channel, self._now_us) | {"event": ContactEvent.message_sent}
            connection.execute(insert(history), line)
            announce(connection, [order.person], self._now_us)
        if self._chance.random() < 0.7:
            self._later(self._chance.randint(1, 600) * SECOND, self._delivered, (order, channel, self._now_us))

    def _delivered(self, message: tuple[Reserve, str, int]) -> None:
        order, channel, _ = message
        with self._ledger.writing() as connection:
            bump(connection, [key.key for key in order.keys])
            line = _line(order, channel, self._now_us) | {"event": ContactEvent.message_delivered}
            connection.execute(insert(history), line)
            announce(connection, [order.person], self._now_us)

    # ---- what others tell

    def _write(self, person: int, write: Callable[[Connection, int], None]) -> None:
        now_us = self._now_us
        with self._ledger.writing() as connection:
            bump(connection, [f"person:{person}"])
            write(connection, now_us)
            announce(connection, [person], now_us)

    def _inbound(self, person: int) -> None:
        def write(connection: Connection, now_us: int) -> None:
            event = ContactEvent.right_party_contact
            line = _told(person, event, now_us) | {"channel": "call", "inbound": True}
            connection.execute(insert(history), line)

        self._write(person, write)

    def _stop(self, person: int) -> None:
        kind = self._chance.choice(STOPS)
        debts = [debt for owner, debt, _ in self._debts if owner == person]
        one = self._chance.choice(debts) if kind in OF_A_DEBT and self._chance.random() < 0.5 else None

        def write(connection: Connection, now_us: int) -> None:
            standing = (stop.c.person == person) & (stop.c.kind == kind) & stop.c.lifted_us.is_(None)
            if connection.execute(stop.select().where(standing)).first() is not None:
                return
            row = {"person": person, "kind": kind, "debt": one, "phone": None, "until_us": None}
            put_stops(connection, [row | {"event_us": now_us, "known_us": now_us, "source": "import"}])
            line = _told(person, "stop", now_us, kind) | {"debts": "" if one is None else str(one)}
            connection.execute(insert(history), line)

        self._write(person, write)

    def _lift(self, person: int) -> None:
        kind = self._chance.choice(STOPS)

        def write(connection: Connection, now_us: int) -> None:
            standing = (stop.c.person == person) & (stop.c.kind == kind) & stop.c.lifted_us.is_(None)
            if connection.execute(update(stop).where(standing).values(lifted_us=now_us)).rowcount:
                connection.execute(insert(history), _told(person, "stop_lifted", now_us, kind))

        self._write(person, write)

    def _consent(self, person: int) -> None:
        kind, channel = self._chance.choice(CONSENTS), self._chance.choice((None, "call", "sms", "email"))

        def write(connection: Connection, now_us: int) -> None:
            row = {"person": person, "kind": kind, "channel": channel, "phone": None, "until_us": None}
            found = connection.execute(
                consent.select().where(
                    consent.c.person == person, consent.c.kind == kind, consent.c.revoked_us.is_(None)
                )
            ).first()
            if found is None:
                put_consents(connection, [row | {"event_us": now_us, "known_us": now_us, "source": "import"}])
                connection.execute(insert(history), _told(person, "consent", now_us, kind))

        self._write(person, write)

    def _revoke(self, person: int) -> None:
        kind = self._chance.choice((*CONSENTS, "direct_prior_consent_7d"))

        def write(connection: Connection, now_us: int) -> None:
            standing = (consent.c.person == person) & (consent.c.kind == kind) & consent.c.revoked_us.is_(None)
            if connection.execute(update(consent).where(standing).values(revoked_us=now_us)).rowcount:
                connection.execute(insert(history), _told(person, "consent_revoked", now_us, kind))

        self._write(person, write)

    def _pay(self, _: int) -> None:
        """Bring a file: some pay all they owe, some a little."""
        assert self._folder is not None
        chance = self._chance
        path = self._folder / f"{self._next_id('payments')}.csv"
        some = chance.sample(self._debts, max(1, round(len(self._people) * _PAYMENTS)))
        day = to_datetime(self._now_us).date().isoformat()
        lines = ["account,creditor,paid_on,amount,reference"]
        for number, (_, debt, creditor) in enumerate(some):
            amount = chance.choice(("9999999.00", "1.00"))
            lines.append(f"{debt},creditor {creditor},{day},{amount},{path.stem}-{number}")
        path.write_text("\n".join(lines) + "\n")
        import_payments(self._ledger, path, at_us=self._now_us)


def _keys(dossier: Dossier, phone: Phone | None) -> tuple[CapKey, ...]:
    return tuple(
        cap
        for cap in dossier.keys
        if not cap.key.startswith("phone:") or (phone is not None and cap.key == f"phone:{phone.phone}")
    )


def _told(person: int, event: str, now_us: int, detail: str = "") -> dict[str, object]:
    return {"person": person, "event": event, "detail": detail, "event_us": now_us, "known_us": now_us}


def _line(order: Reserve, channel: str, now_us: int) -> dict[str, object]:
    return {
        "person": order.person,
        "event_us": now_us,
        "known_us": now_us,
        "debts": ids(order.debts),
        "phone": order.phone or None,
        "campaign": order.campaign,
        "channel": channel,
        "attempt": order.call_id,
    }

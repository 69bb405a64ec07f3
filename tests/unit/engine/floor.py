"""A floor in a few lines for the engine's unit tests: scripted gate, instant ledger, people 1…."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from dialer.engine import Engine
from domain import events
from domain.events import Event
from domain.orders import Order, Originate, Reserve
from domain.pace import PaceRule
from domain.people import CapKey, Debt, Dossier, Lead, Phone, Verdict
from domain.records import Row
from domain.settings import CampaignSettings, FloorSettings

SECOND = 1_000_000
T = TypeVar("T")

START_US = 1_795_000_000 * SECOND


class OpenGate:
    """Allows everything until told otherwise for a person; a real gate has its own tests."""

    version = "open"

    def __init__(self) -> None:
        self.verdicts: dict[int, Verdict | Callable[[int], Verdict]] = {}
        #: By country.
        self.paces: dict[str, PaceRule] = {}
        #: For what was asked, in order.
        self.purposes: list[str] = []

    def judge(self, dossier: Dossier, *, at_us: int, purpose: str, **_: object) -> Verdict:
        self.purposes.append(purpose)
        scripted = self.verdicts.get(dossier.person)
        if callable(scripted):
            return scripted(at_us)
        return scripted or Verdict(allowed=True, valid_until_us=at_us + 3600 * SECOND)

    def pace_rules(self, people: Iterable[Dossier], **_: object) -> tuple[PaceRule, ...]:
        countries = {one.country for one in people}
        return tuple(rule for country, rule in sorted(self.paces.items()) if country in countries)


def person(number: int, n_phones: int = 1) -> Dossier:
    phones = tuple(Phone(phone=number * 10 + i, country="ES") for i in range(n_phones))
    keys = (CapKey(f"person:{number}", 1), *(CapKey(f"phone:{phone.phone}", 1) for phone in phones))
    debt = Debt(debt=number * 100, creditor=1, balance_minor=10_000, currency="EUR")
    return Dossier(
        person=number, keys=tuple(sorted(keys, key=lambda cap: cap.key)), country="ES", debts=(debt,), phones=phones
    )


class Floor:
    """Drives an engine; reservations succeed at once."""

    def __init__(self, *campaigns: CampaignSettings, people: int = 10, n_phones: int = 1, **floor: object) -> None:
        self.gate = OpenGate()
        self.engine = Engine(self.gate)
        self.at_us = START_US
        self.rows: list[Row] = []
        self.settings = FloorSettings(campaigns=campaigns or (CampaignSettings(name="c"),), **floor)  # type: ignore[arg-type]
        self.hear(events.FloorOpened, settings=self.settings, rules="open", versions={})
        for node in self.settings.nodes:
            self.hear(events.Resynced, node=node)
        dossiers = tuple(person(number, n_phones) for number in range(1, people + 1))
        leads = tuple(Lead(person=d.person, rank=d.person, debts=(d.person * 100,)) for d in dossiers)
        for campaign in self.settings.campaigns:
            self.hear(
                events.LeadsLoaded,
                campaign=campaign.name,
                plan="p",
                chunk=0,
                sha256="",
                leads=leads,
                people=dossiers,
            )
            self.hear(events.CampaignOrdered, campaign=campaign.name, verb="run")

    def hear(self, kind: type[Event], **fields: object) -> list[object]:
        """Feed one input and return the facts and orders that followed, reservations answered."""
        rows = self.engine.handle(kind(at_us=self.at_us, **fields))  # type: ignore[arg-type]
        self.rows += rows
        records: list[object] = [row.record for row in rows[1:]]
        for record in list(records):
            if type(record) is Reserve:
                keys = tuple(CapKey(cap.key, cap.version + 1) for cap in record.keys)
                records += self.hear(events.Reserved, call_id=record.call_id, keys=keys)
        return records

    def rows_of(self) -> list[object]:
        """Return every record so far."""
        return [row.record for row in self.rows]

    def agent(self, *names: str, **fields: object) -> None:
        for name in names:
            self.hear(events.SignedIn, agent=name, **fields)
            self.hear(events.PhoneUp, agent=name, node=str(fields.get("node", "main")))
            self.hear(events.MadeReady, agent=name)

    def tick(self, seconds: float = 0.5) -> list[object]:
        self.at_us += round(seconds * SECOND)
        return self.hear(events.Tick)

    def after(self, seconds: float) -> None:
        self.at_us += round(seconds * SECOND)

    def dial(self, seconds: float = 0.5) -> list[Originate]:
        """Tick once and return the calls placed."""
        return of(self.tick(seconds), Originate)

    def talk(self, call_id: str, agent: str) -> None:
        self.hear(events.Answered, call_id=call_id)
        self.hear(events.Connected, call_id=call_id, agent=agent)


def one_call(**campaign: Any) -> tuple[Floor, str]:
    """Return a floor with one agent and one call ringing for five seconds, and the call's id."""
    floor = Floor(CampaignSettings(name="c", **campaign), people=1)
    floor.agent("1001")
    (call,) = floor.dial()
    floor.after(5)
    return floor, call.call_id


def of(records: list[object], kind: type[T]) -> list[T]:
    return [record for record in records if type(record) is kind]


__all__ = ["SECOND", "START_US", "Floor", "OpenGate", "Order", "of", "one_call", "person"]

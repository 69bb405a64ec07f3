"""May this person be contacted now, on this number, through this channel?

The gate knows no clock and no jurisdiction: instants come in, rules are data. Its answer is a verdict that says which
row denies, how long an allowance holds and when a denial ends.
"""

from collections.abc import Iterable
from datetime import date
from operator import attrgetter
from pathlib import Path

from compliance import explaining, pace
from compliance.cases import Case, abandonment, in_effect, open_case, open_debts
from compliance.counting import Block, Subject
from compliance.packs import Packs, load
from compliance.places import Place, Places
from compliance.plans import Contact, Plan, binding, plan_for
from compliance.rows import ACTORS, CHANNELS, PURPOSES, Row, Stop
from compliance.zones import Zones, local_text, offset_at
from domain.errors import BadInput
from domain.pace import PaceRule
from domain.people import ContactEvent, Dossier, Phone, Verdict

#: An assumption of a verdict, beside those of a place: nothing tells where the person is.
ZONE = "zone"
#: Country, region and city of a debtor, the last two None when unknown.
Address = tuple[str, str | None, str | None]
_UNKNOWN_NUMBER = ("unknown", "personal", None)
#: Verdicts of one instant that are kept for each kind of contact.
_KEPT = 64
#: In the way of somebody of whom nothing is on record.
_NOTHING = ()
_RIGHT_PARTY = ContactEvent.right_party_contact
_event = attrgetter("event")


class Bound:
    """What binds a kind of contact with people at some addresses, and what was answered about it last."""

    __slots__ = ("assumed", "last", "plan", "said", "zones")

    def __init__(self, plan: Plan, zones: Zones, assumed: tuple[str, ...]) -> None:
        self.plan = plan
        self.zones = zones
        self.assumed = assumed
        #: The instant last asked for, and the verdicts given for it by what was in the way: many are asked about at
        #: once, and mostly the same is in the way of all. One tuple, so that threads do not mix up their instants.
        self.said: tuple[int, dict[tuple[object, ...], Verdict]] = 0, {}
        #: Who was asked about last, what was asked, and the verdict: the same often follows for another number.
        self.last: tuple[Dossier, tuple[object, ...], Verdict] | None = None


class Gate:
    """The rules of a directory, ready to judge.

    Places, plans, zones and open hours are worked out when first asked for, and kept.
    """

    def __init__(self, packs: Packs) -> None:
        self.packs = packs
        #: Names the contents of the packs.
        self.version = packs.version
        self._tree = Places(packs)
        self._places: dict[Address, Place] = {}
        #: One place for all the towns that no rule tells apart: they share plans.
        self._alike: dict[tuple[object, ...], Place] = {}
        self._plans: dict[tuple[Place, str, str, str, str, str, str | None], Plan] = {}
        self._bound: dict[tuple[object, ...], Bound] = {}
        self._zone_sets: dict[tuple[str, ...], Zones] = {}
        self._twin: Gate | None = None
        self._split: dict[frozenset[str], set[str]] = {}
        for region in packs.timezones.split_area_codes:
            self._split.setdefault(frozenset(packs.timezones.region[region]), set()).add(region)

    @classmethod
    def load(cls, directory: Path, *, strict: bool = True) -> "Gate":
        """Return the gate of a directory of rule packs.

        Raises
        ------
        BadInput
            When a pack is wrong.
        """
        return cls(load(directory, strict=strict))

    def reading(self, strict: bool) -> "Gate":
        """Return the gate of the same packs in the conservative or the literal reading.

        Raises
        ------
        BadInput
            When the files have changed since this gate was loaded.
        """
        if strict == self.packs.strict:
            return self
        if self._twin is None:
            twin = Gate.load(self.packs.directory, strict=strict)
            if twin.packs.contents != self.packs.contents:
                raise BadInput(f"{self.packs.directory}: the packs changed while they were in use; start again")
            self._twin, twin._twin = twin, self
        return self._twin

    def row(self, rule: str) -> Row | None:
        """Return the row of a rule, with its citation."""
        return self.packs.rows.get(rule)

    def stop_rows(self, kind: str, country: str, region: str | None, city: str | None) -> list[Stop]:
        """Return the rows that a kind of stop sets off for a debtor at an address, whoever collects."""
        place = self._place((country, region, city))
        tables = map(self.packs.jurisdictions.__getitem__, place.codes)
        return [row for table in tables for row in binding(table.stops, table, None, place) if kind in row.trigger]

    def judge(
        self,
        dossier: Dossier,
        *,
        at_us: int,
        channel: str = "call",
        phone: Phone | None,
        debts: tuple[int, ...],
        actor: str,
        purpose: str,
        live_agent_guaranteed: bool = False,
    ) -> Verdict:
        """Return whether the contact may leave at an instant.

        Parameters
        ----------
        debts : tuple of int
            Debts that the contact is about; the open ones among them are judged, and all must pass. Empty: all of the
            person's.
        """
        bound = self._bound_by(dossier, channel, phone, actor, purpose)
        instant, said = bound.said
        if instant != at_us:
            said = {}
            bound.said = at_us, said
        worked = open_debts(dossier, debts)
        registers = () if phone is None else phone.registers
        plain = worked and not (dossier.history or dossier.stops or dossier.consents or dossier.others or registers)
        if plain and (verdict := said.get(_NOTHING)) is not None:
            return verdict
        asked = (at_us, debts, live_agent_guaranteed, registers)
        last = bound.last
        if last is not None and last[0] is dossier and last[1] == asked and _any_number(bound.plan, dossier):
            return last[2]
        case = _case(bound, dossier, channel, phone, debts, worked, live_agent_guaranteed, at_us)
        agent_always, message = abandonment(case, at_us)
        first = bool(bound.plan.first_notices) and not _contacted(dossier)
        # Nothing else of a case tells in its verdict.
        key = _NOTHING if plain else (case.lifted_until, agent_always, message, first, *case.blocks)
        verdict = said.get(key)
        if verdict is None:
            if len(said) >= _KEPT:
                said.clear()
            verdict = said[key] = self._verdict(case, at_us, bound.assumed, agent_always, message, first)
        bound.last = dossier, asked, verdict
        return verdict

    def _verdict(
        self, case: Case, at_us: int, assumed: tuple[str, ...], agent_always: bool, message: bool, first: bool
    ) -> Verdict:
        """Return the verdict on a case at an instant."""
        plan, zones = case.plan, case.zones
        denial: Block | None = None
        ends = case.open_until(at_us)
        for block in case.blocks:
            if at_us < block[0]:
                ends = min(ends, block[0])
            elif at_us < block[1] and (denial is None or _names(plan, block) < _names(plan, denial)):
                denial = block
        notices = plan.first_notices + plan.notices if first else plan.notices
        if message:
            notices += plan.message_notices
        retention = plan.retention
        if plan.dated:
            idle = [row.id for row in plan.dated if not in_effect(row, zones, at_us)]
            if idle:
                notices = tuple([rule for rule in notices if rule not in idle])
                retention = tuple([rule for rule in retention if rule not in idle])
        if denial is None and ends:
            return Verdict(
                allowed=True,
                local_time=local_text(at_us, zones.latest_offset(at_us)),
                zones=zones.names,
                valid_until_us=ends,
                agent_always=agent_always,
                abandon_message=message,
                notices=notices,
                retention=retention,
                rules=self.version,
                assumed=assumed,
            )
        if denial is not None:
            rule, offset = denial[2], zones.latest_offset(at_us)
        else:
            rule, zone = case.hours(at_us).closed_by(zones, at_us)
            offset = offset_at(zone, at_us)
        return Verdict(
            allowed=False,
            rule=rule,
            local_time=local_text(at_us, offset),
            zones=zones.names,
            next_allowed_at_us=case.next_allowed(at_us),
            agent_always=agent_always,
            abandon_message=message,
            notices=notices,
            retention=retention,
            rules=self.version,
            assumed=assumed,
        )

    def pace_rules(self, people: Iterable[Dossier], *, actor: str, purpose: str, on: date) -> tuple[PaceRule, ...]:
        """Return the limits of abandonment that bind calls to some people on a day of the floor."""
        return pace.pace_rules(self.packs, self._places_of(people), actor, purpose, on)

    def required_messages(self, people: Iterable[Dossier], *, actor: str, purpose: str, on: date) -> tuple[str, ...]:
        """Return the rules by which some people must be told who called when no agent comes."""
        return pace.required_messages(self.packs, self._places_of(people), actor, purpose, on)

    def registers(
        self, addresses: Iterable[Address], *, on: date, actor: str | None = None, purpose: str | None = None
    ) -> list[pace.NeededRegister]:
        """Return the registers that must be on record to contact people of some addresses on a day.

        Parameters
        ----------
        actor, purpose : str or None
            Whose calls, and what for; without them, all that any contact needs.
        """
        places = dict.fromkeys((address[0], self._place(address)) for address in addresses)
        return pace.needed_registers(self.packs, places, actor, purpose, on)

    def explain(
        self,
        dossier: Dossier,
        *,
        at_us: int,
        channel: str = "call",
        phone: Phone | None,
        debts: tuple[int, ...],
        actor: str,
        purpose: str,
        live_agent_guaranteed: bool = False,
        only: str | None = None,
    ) -> list[explaining.Answer]:
        """Return what each rule that binds such a contact says at an instant; `only` the one of this id."""
        bound = self._bound_by(dossier, channel, phone, actor, purpose)
        worked = open_debts(dossier, debts)
        case = _case(bound, dossier, channel, phone, debts, worked, live_agent_guaranteed, at_us)
        return explaining.explain(case, at_us, self.packs.rows, only)

    def _places_of(self, people: Iterable[Dossier]) -> list[Place]:
        addresses = dict.fromkeys((one.country, one.region, one.city) for one in people)
        return list(dict.fromkeys(map(self._place, addresses)))

    def _place(self, address: Address) -> Place:
        place = self._places.get(address)
        if place is None:
            found = self._tree.find(*address)
            place = self._places[address] = self._alike.setdefault(found.content, found)
        return place

    def binding(
        self, dossier: Dossier, channel: str, phone: Phone | None, actor: str, purpose: str
    ) -> tuple[Plan, Zones, tuple[str, ...]]:
        """Return what binds a contact, where the person may be, and what was assumed of the address."""
        bound = self._bound_by(dossier, channel, phone, actor, purpose)
        return bound.plan, bound.zones, bound.assumed

    def _bound_by(self, dossier: Dossier, channel: str, phone: Phone | None, actor: str, purpose: str) -> Bound:
        address = (dossier.country, dossier.region, dossier.city)
        place = self._places.get(address) or self._place(address)
        number: tuple[object, ...] = ()
        if phone is not None:
            number = (phone.line_type, phone.address_type, phone.country, phone.zones, phone.geographic)
        key = (place, dossier.address_zones, channel, actor, purpose, number)
        found = self._bound.get(key)
        if found is None:
            plan = self._plan_of(place, channel, phone, actor, purpose)
            found = self._bound[key] = Bound(plan, *self._candidates(place, dossier, phone))
        return found

    def _plan_of(self, place: Place, channel: str, phone: Phone | None, actor: str, purpose: str) -> Plan:
        line = _UNKNOWN_NUMBER if phone is None else (phone.line_type, phone.address_type or "personal", phone.country)
        key = (place, channel, actor, purpose, *line)
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = self._plan(*key)
        return plan

    def _plan(
        self, place: Place, channel: str, actor: str, purpose: str, line_type: str, address: str, country: str | None
    ) -> Plan:
        for name, value, words in (
            ("channel", channel, CHANNELS),
            ("actor", actor, ACTORS),
            ("purpose", purpose, PURPOSES),
        ):
            if value not in words:
                raise BadInput(f"gate: {name} must be one of {', '.join(words)}, was {value!r}; correct it")
        contact = Contact(channel=channel, actor=actor, purpose=purpose, line_type=line_type, address=address)
        return plan_for(self.packs, place, contact, country)

    def _candidates(self, place: Place, dossier: Dossier, phone: Phone | None) -> tuple[Zones, tuple[str, ...]]:
        """Return the zones where the person may be, and what was assumed of the address."""
        timezones = self.packs.timezones
        region = f"{place.country}-{place.region}"
        country = timezones.country.get(dossier.country, ("UTC",))
        verified = dossier.address_zones
        address = verified or timezones.region.get(region, ())
        assumed = place.assumed
        if phone is None:
            names = address or country
        else:
            number = phone.zones
            if not number or len(number) > timezones.max_number_zones:
                number = timezones.country.get(phone.country, country)
            split = self._split.get(frozenset(number), ())
            if verified and not phone.geographic:
                # A number that tells no place adds nothing to an address that does.
                names = verified
            elif verified and split and set(verified) <= set(number) and (place.region is None or region in split):
                # The number's region has two zones, and the address says in which of them it lies.
                names = verified
            else:
                names = (*number, *address)
        if not address and not (phone and phone.zones):
            assumed = (*assumed, ZONE)
        names = tuple(sorted(set(names)))
        if names not in self._zone_sets:
            self._zone_sets[names] = Zones(names)
        return self._zone_sets[names], assumed


def _case(
    bound: Bound,
    dossier: Dossier,
    channel: str,
    phone: Phone | None,
    named: tuple[int, ...],
    worked: tuple[tuple[int, int], ...],
    live_agent_guaranteed: bool,
    at_us: int,
) -> Case:
    """Return the case of a contact about debts that the caller named, of which these are open."""
    subject = Subject(
        dossier=dossier,
        debts=worked,
        phone=None if phone is None else phone.phone,
        channel=channel,
        address=bound.plan.contact.address,
        registers=() if phone is None else phone.registers,
    )
    return open_case(bound.plan, bound.zones, subject, named, live_agent_guaranteed, at_us)


def _names(plan: Plan, block: Block) -> tuple[int, int]:
    """Order blocks by which one a verdict names: the one that lasts longest, and of equals the law before the house."""
    return -block[1], plan.rank[block[2]]


def _any_number(plan: Plan, dossier: Dossier) -> bool:
    """Return whether a verdict is the same for each number of a kind: nothing on record concerns one alone."""
    if plan.counters.by_number:
        return False
    # Mostly there are none.
    return not (
        (dossier.stops and any(stop.phone is not None for stop in dossier.stops))
        or (dossier.consents and any(consent.phone is not None for consent in dossier.consents))
    )


def _contacted(dossier: Dossier) -> bool:
    return _RIGHT_PARTY in map(_event, dossier.history)

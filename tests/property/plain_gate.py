"""The rules read aloud: one question, one instant, datetimes and loops, nothing kept and nothing clever.

The gate works with stretches of time and integers; this says yes or no by the words of the rows alone. It shares the
packs, the tables of a place and the candidate zones with the gate, and no arithmetic.
"""

from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from holidays import country_holidays

from compliance.packs import Packs
from compliance.places import Place
from compliance.rows import Cap, Cooldown, Jurisdiction, Registry, Row, Stop, Window
from domain.instants import to_datetime
from domain.people import Dossier, PastContact, Phone

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
NEVER_REACHED = ("network_fail", "not_in_service", "busy")


class PlainGate:
    def __init__(
        self,
        packs: Packs,
        place: Place,
        zones: tuple[str, ...],
        dossier: Dossier,
        phone: Phone | None,
        channel: str,
        debts: tuple[int, ...],
        actor: str,
        purpose: str,
        live_agent_guaranteed: bool,
    ) -> None:
        self.packs, self.place, self.zones = packs, place, [ZoneInfo(zone) for zone in zones]
        self.dossier, self.phone, self.channel = dossier, phone, channel
        self.named, self.actor, self.purpose, self.guaranteed = debts, actor, purpose, live_agent_guaranteed
        paid = {stop.debt for stop in dossier.stops if stop.kind in ("paid", "withdrawn")}
        self.debts = [
            debt
            for debt in dossier.debts
            if debt.state == "open" and debt.debt not in paid and (not debts or debt.debt in debts)
        ]

    def allowed(self, at_us: int) -> bool:
        if self.place.country is None or (not self.debts and (self.named or self.dossier.debts)):
            return False
        bound = [
            (row, table)
            for table in (self.packs.jurisdictions[code] for code in self.place.codes)
            for rows in (table.stops, table.registries, table.windows, table.caps, table.cooldowns)
            for row in rows
            if row.status in ("in_force", "house", "unconfirmed")
            and self.actor in (row.actors or table.actors)
            and (row.purposes is None or self.purpose in row.purposes)
            and (not row.regions or (self.place.region in row.regions if self.place.region else self.packs.strict))
        ]
        # Holidays close voice and visits even where no window of the country speaks of them.
        in_person = self.channel in ("call", "prerecorded", "voicemail", "ringless_vm", "visit")
        if in_person and not any(
            isinstance(row, Window) and self.channel in row.channels and not table.overlay_for for row, table in bound
        ):
            today = [to_local(at_us, zone).date() for zone in self.zones]
            if any(self.holiday(day) for day in today):
                return False
        return not any(self.denies(row, table, at_us) for row, table in bound)

    def denies(self, row: Row, table: Jurisdiction, at_us: int) -> bool:
        if isinstance(row, Window):
            return self.channel in row.channels and self.window_denies(row, table, at_us)
        today = [to_local(at_us, zone).date() for zone in self.zones]
        if not any((row.effective_from or date.min) <= day <= (row.effective_to or date.max) for day in today):
            return False
        if isinstance(row, Stop):
            return self.channel in row.channels and self.purpose not in row.exceptions and self.stop_denies(row, at_us)
        if isinstance(row, Registry):
            listed = self.phone is not None and row.register in self.phone.registers
            lifted = row.unless is not None and self.consents((row.unless,), at_us)
            return self.channel in row.channels and listed and not lifted
        if isinstance(row, Cap):
            return self.channel in row.channels and self.purpose not in row.exclude and self.cap_denies(row, at_us)
        assert isinstance(row, Cooldown)
        return (
            self.channel in row.blocks_channels and self.purpose not in row.exclude and self.cooldown_denies(row, at_us)
        )

    # ---- windows

    def window_denies(self, row: Window, table: Jurisdiction, at_us: int) -> bool:
        if row.override and self.consents((row.override,), at_us):
            return False
        return any(not self.is_open(row, table, to_local(at_us, zone)) for zone in self.zones)

    def is_open(self, row: Window, table: Jurisdiction, local: datetime) -> bool:
        if not (row.effective_from or date.min) <= local.date() <= (row.effective_to or date.max):
            return True
        if not table.overlay_for and self.holiday(local.date()):
            return False
        second = local.strftime("%H:%M:%S")
        return any(
            (f"{start}:00" < second if row.boundary == "exclusive" else f"{start}:00" <= second)
            and second < f"{end}:00"
            for start, end in getattr(row.days, WEEKDAYS[local.weekday()])
        )

    def holiday(self, day: date) -> bool:
        country = self.packs.jurisdictions[self.place.country or ""]
        if country.holidays is None or country.holidays.treat != "closed":
            return False
        regions = country.regions if country.holidays.subdiv_from_address else ()
        everywhere = list(regions) if self.packs.strict else []
        kept_in = [self.place.region] if self.place.region and regions else everywhere or [None]
        if any(
            extra.date == day
            and self.may_be(extra.region, self.place.region)
            and self.may_be(extra.city, self.dossier.city)
            for extra in country.holidays.extra
        ):
            return True
        kept_in += [
            own.subdivision
            for own in country.holidays.cities
            if self.may_be(own.region, self.place.region) and self.may_be(own.city, self.dossier.city)
        ]
        of, categories = country.holidays.country, country.holidays.categories
        return any(day in calendar(of, region, categories, day.year) for region in kept_in)

    def may_be(self, wanted: str | None, actual: str | None) -> bool:
        return wanted is None or (actual == wanted if actual else self.packs.strict)

    # ---- stops and consents

    def is_line(self, line_types: tuple[str, ...]) -> bool:
        line = self.phone.line_type if self.phone else "unknown"
        may_be = {"fixed_or_mobile": ("fixed", "landline", "mobile"), "fixed": ("fixed", "landline")}.get(line, (line,))
        return not line_types or line in ("unknown", "other") or bool(set(may_be) & set(line_types))

    def stop_denies(self, row: Stop, at_us: int) -> bool:
        if not self.is_line(row.line_types):
            return False
        if row.needs_consent and not self.consents(row.needs_consent, at_us):
            return True
        return any(
            stop.kind in row.trigger
            and (stop.until_us is None or at_us < stop.until_us)
            and (stop.phone is None or (self.phone is not None and self.phone.phone == stop.phone))
            and (stop.channel is None or self.channel == stop.channel or (stop.channel == "call" and self.is_voice()))
            and (stop.debt is None or stop.debt in [debt.debt for debt in self.debts])
            for stop in self.dossier.stops
        )

    def is_voice(self) -> bool:
        return self.channel in ("prerecorded", "voicemail", "ringless_vm")

    def consents(self, kinds: tuple[str, ...], at_us: int) -> bool:
        return any(
            consent.kind in kinds
            and consent.channel in (None, self.channel)
            and (consent.phone is None or (self.phone is not None and consent.phone == self.phone.phone))
            and (at_us < consent.until_us if consent.until_us else consent.kind != "direct_prior_consent_7d")
            for consent in self.dossier.consents
        )

    def lifted(self, row: Cap | Cooldown, at_us: int) -> bool:
        if row.unless == "live_agent_guaranteed" and self.guaranteed:
            return True
        kinds = tuple(kind for kind in (row.unless, *row.exclude) if kind in (row.unless, "direct_prior_consent_7d"))
        return self.consents(tuple(kind for kind in kinds if kind), at_us)

    # ---- counting

    def known(self, row: Cap | Cooldown) -> list[PastContact]:
        """Return the lines that a row may count: the person's, and others' where the scope says so."""
        of_others = [
            past
            for past in self.dossier.others
            if ("household" in row.scope and past.of == "household" and "phone" not in row.scope)
            or ("phone" in row.scope and past.phone is None and past.of == "phone")
            or ("phone" in row.scope and self.phone is not None and past.phone == self.phone.phone)
        ]
        return [*self.dossier.history, *of_others]

    def cap_denies(self, row: Cap, at_us: int) -> bool:
        if not self.is_line(row.line_types):
            return False
        address = (self.phone.address_type if self.phone else None) or "personal"
        if row.address_types and address not in row.address_types:
            return False
        if row.needs_consent and not self.consents(row.needs_consent, at_us):
            return True
        if self.lifted(row, at_us):
            return False
        lines = [
            past
            for past in self.known(row)
            if not past.inbound
            and past.channel in row.channels
            and (not row.address_types or self.address(past) in row.address_types)
            and not (past.event in NEVER_REACHED and {"not_connected", "unable_to_leave_message"} & set(row.exclude))
        ]
        return any(
            self.full(row, what, limit, [past for past in part if self.within(past, row, zone, at_us)])
            for what, limit in {row.counts: row.limit, **row.sub_limits}.items()
            for part in self.parted(row.scope, lines)
            for zone in self.zones
        )

    def full(self, row: Cap, what: str, limit: int, lines: list[PastContact]) -> bool:
        if row.after is not None and not any(self.counts(past, "contacts") for past in lines):
            return False
        if what == "distinct_channels":
            return len({past.channel for past in lines} | {self.channel}) > limit
        return len([past for past in lines if self.counts(past, what)]) >= limit

    def counts(self, past: PastContact, what: str) -> bool:
        if what == "connected_attempts":
            return past.event not in NEVER_REACHED
        if what in ("contacts", "contact"):
            ours = past.attempt is not None and past.event in ("dialed", "answered", "message_sent")
            return ours or past.event in ("right_party_contact", "message_delivered")
        if what == "messages":
            return past.event in ("message_sent", "message_delivered", "voicemail_left")
        if what == "message_sent":
            return past.event in ("message_sent", "message_delivered")
        return what in ("attempts", "distinct_channels") or past.event == what

    def within(self, past: PastContact, row: Cap, zone: ZoneInfo, at_us: int) -> bool:
        then, today = to_local(past.at_us, zone).date(), to_local(at_us, zone).date()
        if row.window.type == "calendar_day":
            return then >= today
        if row.window.type == "calendar_week":
            since = today.weekday() if row.window.week_start == "mon" else (today.weekday() + 1) % 7
            return then >= today - timedelta(days=since)
        if row.window.type == "calendar_month":
            return (then.year, then.month) >= (today.year, today.month)
        if row.window.type == "rolling_hours":
            return to_datetime(at_us) - to_datetime(past.at_us) < timedelta(hours=row.window.n)
        return then > today - timedelta(days=row.window.n)

    def cooldown_denies(self, row: Cooldown, at_us: int) -> bool:
        return not self.lifted(row, at_us) and any(
            self.cooling(row, past, zone, at_us)
            for part in self.parted(row.scope, self.known(row))
            for past in part
            if (past.channel in row.trigger_channels or not row.trigger_channels)
            and self.counts(past, row.trigger)
            and (row.trigger == "contact" or not past.inbound)
            for zone in self.zones
        )

    def cooling(self, row: Cooldown, past: PastContact, zone: ZoneInfo, at_us: int) -> bool:
        if row.duration.hours is not None:
            return to_datetime(at_us) - to_datetime(past.at_us) < timedelta(hours=row.duration.hours)
        days = (to_local(at_us, zone).date() - to_local(past.at_us, zone).date()).days
        return days < (row.duration.calendar_days or 0) + (not row.duration.first_day_counts)

    def parted(self, scope: tuple[str, ...], lines: list[PastContact]) -> list[list[PastContact]]:
        """Return the lines that the scope puts together, by debt or creditor where it says so."""
        if "phone" in scope:
            lines = [past for past in lines if past.phone is None or (self.phone and past.phone == self.phone.phone)]
        if "channel" in scope:
            lines = [past for past in lines if past.channel == self.channel]
        if "address_type" in scope:
            own = (self.phone.address_type if self.phone else None) or "personal"
            lines = [past for past in lines if self.address(past) == own]
        if "debt" in scope and self.debts:
            return [
                [
                    past
                    for past in lines
                    if debt.debt in past.debts or (not past.debts and past.creditor in (None, debt.creditor))
                ]
                for debt in self.debts
            ]
        if "creditor" in scope and self.debts:
            owed = {debt.debt: debt.creditor for debt in self.dossier.debts}
            parts = []
            for debt in self.debts:
                part = []
                for past in lines:
                    told = [owed[n] for n in past.debts if n in owed] + [past.creditor] * (past.creditor is not None)
                    if debt.creditor in told or not told:
                        part.append(past)
                parts.append(part)
            return parts
        return [lines]

    def address(self, past: PastContact) -> str:
        of_phone = {phone.phone: phone.address_type for phone in self.dossier.phones}
        return past.address_type or of_phone.get(past.phone or 0) or "personal"


def to_local(at_us: int, zone: ZoneInfo) -> datetime:
    return to_datetime(at_us).astimezone(zone)


@lru_cache(maxsize=1000)
def calendar(country: str, region: str | None, categories: tuple[str, ...], year: int) -> frozenset[date]:
    return frozenset(country_holidays(country, subdiv=region, years=year, categories=categories))

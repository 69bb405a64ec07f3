"""A row of a file becomes rows of the stage, or a reject with every cell that is wrong and what to do.

Runs in several processes: a reader is made from plain values and callables that travel by name. Over 500 lines: every
kind of row is read by the same cells.
"""

import json
import re
from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b
from typing import Concatenate, NamedTuple, ParamSpec, TypeVar

import msgspec

from domain.countries import plain
from domain.errors import BadInput
from domain.instants import DAY
from domain.people import BOUNDED_CONSENTS, COMPLAINTS, StopKind, as_message
from ledger.intake.cells import (
    DEFAULT_CURRENCY,
    EASTERNMOST,
    MAX_KEY,
    MAX_NAME,
    MAX_NOTE,
    BadCell,
    Form,
    amount,
    country_code,
    currency_code,
    day_end,
    day_end_everywhere,
    day_start,
    day_start_of,
    default_language,
    free_text,
    instant,
    iso_date,
    language_code,
    whole_number,
)
from ledger.intake.columns import REJECT_COLUMNS, Columns
from ledger.intake.files import Piece, Table
from ledger.intake.lists import (
    DEBT_STOPS,
    Flag,
    attempt_list,
    channel_name,
    consent_list,
    contact_event,
    flag,
    lacking,
    stop_list,
    stop_word,
)
from ledger.intake.phones import e164

Value = TypeVar("Value")
Line = TypeVar("Line")
Given = ParamSpec("Given")

#: Between the numbers of one cell.
_SEVERAL = re.compile(r"[;|/,]")
#: phonenumbers' word for a number that carries its own country code.
_ANY_COUNTRY = "ZZ"

#: (country, region, city, postal code) → IANA zones of the place; empty: unknown.
AddressZones = Callable[[str, str | None, str | None, str | None], tuple[str, ...]]


class AccountLine(NamedTuple):
    """A row of the stage's `account`; names are the columns."""

    row: int
    creditor: str
    account: str
    #: The person's reference in the ledger.
    ref: str
    household: str | None
    name: str | None
    language: str
    country: str
    region: str | None
    city: str | None
    postal_code: str | None
    street: str | None
    address_zones: str
    owner: str | None
    rank: int | None
    product: str | None
    balance_minor: int
    currency: str
    #: When the balance held; None: when the file was imported.
    balance_us: int | None
    due_on: str | None
    paid: bool
    #: Of the cells, to know a repeated row from a contradicting one.
    digest: int


class NumberLine(NamedTuple):
    row: int
    place: int
    e164: str


class StopLine(NamedTuple):
    row: int
    kind: str
    #: False: the file says that the stop does not stand.
    stands: bool
    #: It concerns the account alone.
    of_debt: bool
    event_us: int | None


class ConsentLine(NamedTuple):
    row: int
    kind: str
    channel: str | None
    until_us: int | None


class ContactLine(NamedTuple):
    row: int
    event_us: int
    channel: str
    event: str
    e164: str | None


class PriorLine(NamedTuple):
    """A row of a file of prior attempts."""

    row: int
    creditor: str | None
    account: str
    event_us: int
    channel: str
    event: str
    e164: str | None


class PaymentLine(NamedTuple):
    row: int
    creditor: str | None
    account: str
    #: As written: its currency may be that of the debt, known later.
    amount: str
    currency: str | None
    paid_us: int
    reference: str
    method: str | None


class StopOrder(NamedTuple):
    """A stop that somebody tells of, for one account's debtor."""

    row: int
    creditor: str | None
    account: str
    kind: StopKind
    #: The account alone, or the person; None: as is usual for the kind.
    of_debt: bool | None = None
    e164: str | None = None
    channel: str | None = None
    #: When the debtor said it; None: now.
    event_us: int | None = None
    until_us: int | None = None
    #: Channel through which it was said.
    received: str | None = None
    note: str | None = None


class ComplaintLine(NamedTuple):
    row: int
    creditor: str | None
    account: str
    #: When it came; None: now.
    event_us: int | None
    about: str


class RejectLine(NamedTuple):
    row: int
    field: str
    found: str
    do: str
    #: The original cells as JSON; None: to be read again from the file.
    cells: str | None
    #: The account that the row speaks of, where that much could be read: it is not absent from the file.
    creditor: str | None
    account: str | None
    #: False: the row lands, without what was refused.
    whole: bool


class Lines(msgspec.Struct):
    """What one piece of a file came to."""

    #: Rows with any text in them.
    n_rows: int = 0
    accounts: list[AccountLine] = []
    numbers: list[NumberLine] = []
    stops: list[StopLine] = []
    consents: list[ConsentLine] = []
    contacts: list[ContactLine] = []
    priors: list[PriorLine] = []
    payments: list[PaymentLine] = []
    orders: list[StopOrder] = []
    complaints: list[ComplaintLine] = []
    rejects: list[RejectLine] = []


class _Cells:
    """The cells of one row, and what is wrong with them so far.

    Parameters
    ----------
    texts : list of str
        Without blanks around them, and one blank more than the file has columns: the place of absent ones.
    """

    __slots__ = ("_at", "problems", "texts")

    def __init__(self, texts: list[str], at: dict[str, int]) -> None:
        self.texts = texts
        self._at = at
        #: (field, what was found, what to do)
        self.problems: list[tuple[str, str, str]] = []

    def get(self, name: str) -> str:
        """Return a cell's text, empty where the file has no such column."""
        return self.texts[self._at.get(name, -1)]

    def take(
        self, name: str, read: Callable[Concatenate[str, Given], Value], *args: Given.args, **named: Given.kwargs
    ) -> Value | None:
        """Return what a cell says; None where it is blank or wrong."""
        text = self.texts[self._at.get(name, -1)]
        if not text:
            return None
        try:
            return read(text, *args, **named)
        except BadCell as error:
            self.refuse(name, text, str(error))
            return None

    def need(self, name: str, example: str) -> None:
        """Refuse the row where a cell is blank."""
        if not self.get(name):
            self.refuse(name, "", f"it is blank: write {example}")

    def refuse(self, field: str, found: str, do: str) -> None:
        self.problems.append((field, found, do))


class RowReader:
    """Reads the rows of one file.

    Parameters
    ----------
    kind : str
        `accounts`, `attempts`, `payments` or `stops`.
    at_us : int
        Instant of the import: nothing may have happened after it.
    """

    def __init__(
        self, kind: str, table: Table, columns: Columns, form: Form, at_us: int, address_zones: AddressZones
    ) -> None:
        self._read = {
            "accounts": self._account,
            "attempts": self._prior,
            "payments": self._payment,
            "stops": self._stop_order,
            "complaints": self._complaint,
        }[kind]
        self._table = table
        self._columns = columns
        self._form = form
        self._at_us = at_us
        self._width = len(table.header)
        self._kept = [index for index, title in enumerate(table.header) if plain(title) not in REJECT_COLUMNS]
        self._zones_of = lru_cache(maxsize=65536)(address_zones)

    def read(self, piece: Piece) -> Lines:
        """Return what a piece comes to."""
        lines = Lines()
        for row, texts in self._table.cells(piece):
            lines.n_rows += 1
            if len(texts) == self._width:
                self._read(lines, row, _Cells([*map(str.strip, texts), ""], self._columns.at))
                continue
            do = f"the header has {self._width}: check delimiters and quotes"
            kept = json.dumps(texts, ensure_ascii=False)
            lines.rejects.append(RejectLine(row, "row", f"{len(texts)} cells", do, kept, None, None, True))
        return lines

    # ---- kinds of rows

    def _account(self, lines: Lines, row: int, cells: _Cells) -> None:
        form, get, take = self._form, cells.get, cells.take
        cells.need("creditor", "whom it is owed to")
        cells.need("account", "the creditor's number of the account")
        cells.need("balance", "the amount owed, e.g. 1234.56")
        creditor, account = take("creditor", free_text, MAX_KEY), take("account", free_text, MAX_KEY)
        country = self._country(cells)
        currency = take("currency", currency_code) or DEFAULT_CURRENCY.get(country or "")
        if currency is None and not get("currency") and country is not None:
            cells.refuse("currency", "", f"name the currency: none is assumed for {country}")
        balance = None if currency is None else take("balance", amount, currency, form.decimal_mark)
        balance_us = self._day(cells, "balance_on")
        due_on = take("due_on", iso_date, form.date_order)
        language = take("language", language_code) or default_language(country or "")
        region, city = take("region", free_text, MAX_KEY), take("city", free_text, MAX_KEY)
        postal_code = take("postal_code", free_text, MAX_KEY)
        name, street = take("name", free_text, MAX_NAME), take("street", free_text, MAX_NAME)
        product, rank = take("product", free_text, MAX_KEY), take("rank", whole_number)
        household, owner = take("household", free_text, MAX_KEY), take("owner", free_text, MAX_KEY)
        person, everywhere = take("person", free_text, MAX_KEY), take("global_person", free_text, MAX_KEY)
        numbers, dropped = self._numbers(cells, country) if country else ([], [])
        if not numbers:
            cells.problems += dropped
        stops = self._stops(cells)
        address_zones = self._zones_of(country, region, city, postal_code) if country else ()
        agreed = self._consents(cells, address_zones)
        contacts = (take("prior_attempts", attempt_list, country, form) or []) if country else []
        if any(one.at_us > self._at_us for one in contacts):
            cells.refuse("prior_attempts", get("prior_attempts"), "an attempt lies in the future: correct it")

        if cells.problems or not creditor or not account or not country or balance is None or currency is None:
            self._reject(lines, row, cells, cells.problems, creditor, account, whole=True)
            return
        paid = balance == 0 or (StopKind.paid in stops and stops[StopKind.paid].on)
        if paid and not (StopKind.paid in stops and stops[StopKind.paid].on):
            stops[StopKind.paid] = Flag(True)
        lines.accounts.append(
            AccountLine(
                row=row,
                creditor=creditor,
                account=account,
                # No cell holds a tab, so references of two scopes never meet.
                ref=everywhere or (f"{creditor}\t{person}" if person else f"{creditor}\t\t{account}"),
                household=household,
                name=name,
                language=language,
                country=country,
                region=region,
                city=city,
                postal_code=postal_code,
                street=street,
                address_zones=",".join(address_zones),
                owner=owner,
                rank=rank,
                product=product,
                balance_minor=0 if paid else balance,
                currency=currency,
                balance_us=balance_us,
                due_on=due_on,
                paid=paid,
                digest=int.from_bytes(blake2b("\0".join(cells.texts).encode(), digest_size=7).digest(), "big"),
            )
        )
        lines.numbers += [NumberLine(row, place, number) for place, number in enumerate(numbers)]
        for kind, said in stops.items():
            since_us = None if said.since is None else min(day_start(said.since, form.zone), self._at_us)
            lines.stops.append(StopLine(row, kind.value, said.on, kind in DEBT_STOPS, since_us))
        lines.consents += [ConsentLine(row, *one) for one in agreed]
        lines.contacts += [ContactLine(row, one.at_us, one.channel, one.event, one.phone) for one in contacts]
        if dropped:
            self._reject(lines, row, cells, dropped, creditor, account, whole=False)

    def _consents(self, cells: _Cells, zones: tuple[str, ...]) -> list[tuple[str, str | None, int | None]]:
        """Return kind, channel and end of each consent; its last day ends in the debtor's zone that ends it first."""
        found = []
        for kind, channel, last_day in cells.take("consents", consent_list, self._form.date_order) or ():
            until_us = None if last_day is None else min(day_end(last_day, zone) for zone in zones or (EASTERNMOST,))
            if days := BOUNDED_CONSENTS.get(kind):
                if until_us is None or until_us > self._at_us + (days + 1) * DAY:
                    cells.refuse(
                        "consents", cells.get("consents"), f"{kind} holds {days} days: write its last day, kind@date"
                    )
                    continue
                until_us = min(until_us, self._at_us + days * DAY)
            found.append((kind, channel, until_us))
        return found

    def _prior(self, lines: Lines, row: int, cells: _Cells) -> None:
        cells.need("account", "the creditor's number of the account")
        cells.need("at", "the instant of the attempt, e.g. 2026-11-18T15:30:00+01:00")
        cells.need("event", "what came of it, e.g. no_answer")
        creditor, account = cells.take("creditor", free_text, MAX_KEY), cells.take("account", free_text, MAX_KEY)
        at_us = cells.take("at", instant, self._form)
        if at_us is not None and at_us > self._at_us:
            cells.refuse("at", cells.get("at"), "the attempt lies in the future: correct it")
        channel, event = cells.take("channel", channel_name), cells.take("event", contact_event)
        number = None
        if text := cells.get("phone"):
            country = _ANY_COUNTRY if text.startswith("+") else self._country(cells)
            number = cells.take("phone", e164, country) if country else None
        if cells.problems or account is None or at_us is None or event is None:
            self._reject(lines, row, cells, cells.problems, creditor, account, whole=True)
            return
        channel = channel or "call"
        event = as_message(event, channel, False)
        lines.priors.append(PriorLine(row, creditor, account, at_us, channel, event.value, number))

    def _payment(self, lines: Lines, row: int, cells: _Cells) -> None:
        cells.need("account", "the creditor's number of the account")
        cells.need("reference", "the creditor's own number of the payment: by it a payment is never counted twice")
        cells.need("paid_on", "the day of the payment, e.g. 2026-11-18")
        cells.need("amount", "the amount paid, e.g. 120.00")
        creditor, account = cells.take("creditor", free_text, MAX_KEY), cells.take("account", free_text, MAX_KEY)
        reference, method = cells.take("reference", free_text, MAX_KEY), cells.take("method", free_text, MAX_KEY)
        currency = cells.take("currency", currency_code)
        paid_us = self._day(cells, "paid_on")
        if cells.problems or account is None or reference is None or paid_us is None:
            self._reject(lines, row, cells, cells.problems, creditor, account, whole=True)
            return
        lines.payments.append(
            PaymentLine(row, creditor, account, cells.get("amount"), currency, paid_us, reference, method)
        )

    def _stop_order(self, lines: Lines, row: int, cells: _Cells) -> None:
        order = _order(row, cells, self._form, self._at_us)
        if isinstance(order, StopOrder):
            lines.orders.append(order)
        else:
            self._reject(lines, row, cells, cells.problems, *order, whole=True)

    def _complaint(self, lines: Lines, row: int, cells: _Cells) -> None:
        line = _complaint(row, cells, self._form, self._at_us)
        if isinstance(line, ComplaintLine):
            lines.complaints.append(line)
        else:
            self._reject(lines, row, cells, cells.problems, *line, whole=True)

    # ---- parts of rows

    def _country(self, cells: _Cells) -> str | None:
        if cells.get("country"):
            return cells.take("country", country_code)
        if self._form.country is None:
            cells.refuse("country", "", "write the ISO code of the country, e.g. ES, or name one for the whole file")
        return self._form.country

    def _day(self, cells: _Cells, name: str) -> int | None:
        """Return the instant at which the day of a cell began; it may not lie ahead."""
        day = cells.take(name, iso_date, self._form.date_order)
        if day is None:
            return None
        start_us = day_start(day, self._form.zone)
        if start_us > self._at_us:
            cells.refuse(name, cells.get(name), "the day has not come yet: correct it")
        return start_us

    def _numbers(self, cells: _Cells, country: str) -> tuple[list[str], list[tuple[str, str, str]]]:
        """Return the valid numbers of a row without repetitions, and what is wrong with the others."""
        header = self._table.header
        texts = [(header[index], cells.texts[index]) for index in self._columns.phones if cells.texts[index]]
        if several := cells.get("phones"):
            texts += [("phones", text.strip()) for text in _SEVERAL.split(several)]
        good: dict[str, None] = {}
        bad: list[tuple[str, str, str]] = []
        for field, text in texts:
            if not text:
                continue
            try:
                good[e164(text, country)] = None
            except BadCell as error:
                bad.append((field, text, str(error)))
        return list(good), bad

    def _stops(self, cells: _Cells) -> dict[StopKind, Flag]:
        """Return what the row says about stops; a list's word goes before that of a column."""
        found: dict[StopKind, Flag] = {}
        order = self._form.date_order
        for kind, index in self._columns.stops:
            if text := cells.texts[index]:
                try:
                    found[StopKind(kind)] = flag(text, order)
                except BadCell as error:
                    cells.refuse(self._table.header[index], text, str(error))
        found.update(cells.take("stops", stop_list, order) or ())
        return found

    def rejected(self, texts: list[str], row: int, field: str, found: str, do: str) -> RejectLine:
        """Return the reject of a row that was read well and is refused by what the ledger holds."""
        return RejectLine(row, field, found, do, self._original(texts), None, None, True)

    def _original(self, texts: list[str]) -> str:
        return json.dumps([texts[index] for index in self._kept], ensure_ascii=False)

    def _reject(
        self,
        lines: Lines,
        row: int,
        cells: _Cells,
        problems: list[tuple[str, str, str]],
        creditor: str | None,
        account: str | None,
        *,
        whole: bool,
    ) -> None:
        told = _told(problems)
        lines.rejects.append(RejectLine(row, *told, self._original(cells.texts), creditor, account, whole))


def _alone(
    what: str,
    kind: type[Line],
    read: Callable[[int, _Cells, Form, int], Line | tuple[str | None, str | None]],
    cells: dict[str, str],
    at_us: int,
    form: Form,
) -> Line:
    """Return a line that is told cell by cell and stands in no file."""
    told = _Cells([*cells.values(), ""], {name: index for index, name in enumerate(cells)})
    line = read(1, told, form, at_us)
    if not isinstance(line, kind):
        raise BadInput(f"{what}: " + "; ".join(f"{field} {found!r}: {do}" for field, found, do in told.problems))
    return line


def read_order(cells: dict[str, str], at_us: int, form: Form) -> StopOrder:
    """Return a stop that is told cell by cell.

    Raises
    ------
    BadInput
        When a cell cannot be read: says which, what was found and what to do.
    """
    return _alone("stop", StopOrder, _order, cells, at_us, form)


def _order(row: int, cells: _Cells, form: Form, at_us: int) -> StopOrder | tuple[str | None, str | None]:
    """Return the stop that a row tells of, or its creditor and account where something in it is wrong."""
    cells.need("account", "the creditor's number of the account")
    cells.need("stop", "what was said, e.g. do_not_call")
    creditor, account = cells.take("creditor", free_text, MAX_KEY), cells.take("account", free_text, MAX_KEY)
    kind, scope = cells.take("stop", stop_word), plain(cells.get("scope"))
    if scope not in ("", "debt", "person"):
        cells.refuse("scope", cells.get("scope"), "write debt or person, or leave it blank")
    channel, received = cells.take("channel", channel_name), cells.take("received", channel_name)
    number = None
    if text := cells.get("phone"):
        country = cells.take("country", country_code) or form.country or _ANY_COUNTRY
        number = cells.take("phone", e164, country)
    event_us = cells.take("since", day_start_of, form)
    if event_us is not None and event_us > at_us:
        cells.refuse("since", cells.get("since"), "it lies in the future: correct it")
    until_us = cells.take("until", day_end_everywhere, form)
    if until_us is not None and until_us <= at_us:
        cells.refuse("until", cells.get("until"), "it has ended already and would bind nobody: correct it")
    note = cells.take("note", free_text, MAX_NOTE)
    if kind is not None and (why := lacking(kind, channel, number if text else None)):
        cells.refuse(*why)
    if cells.problems or account is None or kind is None:
        return creditor, account
    of_debt = None if not scope else scope == "debt"
    return StopOrder(row, creditor, account, kind, of_debt, number, channel, event_us, until_us, received, note)


def read_complaint(cells: dict[str, str], at_us: int, form: Form) -> ComplaintLine:
    """Return a complaint that is told cell by cell.

    Raises
    ------
    BadInput
        When a cell cannot be read: says which, what was found and what to do.
    """
    return _alone("complaint", ComplaintLine, _complaint, cells, at_us, form)


def _complaint(row: int, cells: _Cells, form: Form, at_us: int) -> ComplaintLine | tuple[str | None, str | None]:
    """Return the complaint that a row tells of, or its creditor and account where something in it is wrong."""
    cells.need("account", "the creditor's number of the account")
    creditor, account = cells.take("creditor", free_text, MAX_KEY), cells.take("account", free_text, MAX_KEY)
    event_us = cells.take("at", day_start_of, form)
    if event_us is not None and event_us > at_us:
        cells.refuse("at", cells.get("at"), "it lies in the future: correct it")
    about = plain(cells.get("about")) or COMPLAINTS[-1]
    if about not in COMPLAINTS:
        cells.refuse("about", cells.get("about"), f"write one of {', '.join(COMPLAINTS)}, or leave it blank")
    if cells.problems or account is None:
        return creditor, account
    return ComplaintLine(row, creditor, account, event_us, about)


def _told(problems: list[tuple[str, str, str]]) -> tuple[str, str, str]:
    """Return field, what was found and what to do of one or several problems, each list in the same order."""
    fields, found, do = zip(*problems, strict=True)
    return "; ".join(fields), "; ".join(found), "; ".join(do)

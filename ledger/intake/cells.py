"""One cell of a file becomes one value, or is refused with what to do about it. Nothing is guessed.

A value that two readers could read differently (1.234, 03/04/2026) is refused unless the file's form says which
it is; money never passes through a float.
"""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

import msgspec
import phonenumbers

from domain.countries import NAMES as COUNTRY_NAMES
from domain.countries import plain
from domain.errors import BadInput
from domain.instants import from_datetime
from domain.money import EXPONENTS

#: A balance of more digits is a mistake of columns, and would not fit the ledger's 64 bits.
MAX_DIGITS = 15
#: Lengths of text columns; longer text is a mistake of columns too.
MAX_NAME = 200
MAX_KEY = 100
MAX_NOTE = 500
#: Where a date ends first, and where last: POSIX names count the other way round.
EASTERNMOST, _WESTERNMOST = "Etc/GMT-14", "Etc/GMT+12"


class BadCell(Exception):
    """A cell cannot be read; the message says what to do."""


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """How the file writes what can be written in two ways; None: not known, ambiguous cells are refused."""

    #: `.` or `,`.
    decimal_mark: str | None = None
    #: `dmy` or `mdy`; ISO dates are always read.
    date_order: str | None = None
    #: Country of rows that name none.
    country: str | None = None
    #: IANA zone of instants without an offset, and of dates where an instant is needed.
    zone: str = "UTC"

    def __post_init__(self) -> None:
        if self.decimal_mark not in (None, ".", ","):
            raise BadInput(f"form of the file: decimals are marked by . or , and not by {self.decimal_mark!r}")
        if self.date_order not in (None, "dmy", "mdy"):
            raise BadInput(f"form of the file: the order of dates is dmy or mdy and not {self.date_order!r}")
        if self.country is not None and self.country not in phonenumbers.SUPPORTED_REGIONS:
            raise BadInput(f"form of the file: {self.country!r} is no ISO country; write ES, CO, US…")
        if self.zone not in available_timezones():
            raise BadInput(f"form of the file: {self.zone!r} is no IANA zone; write Europe/Madrid, America/Bogota…")


# ---- words


def free_text(cell: str, limit: int) -> str:
    """Return text with control signs and runs of blanks as one blank."""
    if len(cell) <= limit and "  " not in cell and cell.isprintable():
        return cell.strip()
    text = " ".join(cell.split())
    if not text.isprintable():
        text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if len(text) > limit:
        raise BadCell(f"shorten it to {limit} characters, or check that the columns did not slip")
    return text


def whole_number(cell: str) -> int:
    """Return a whole number that fits the ledger."""
    text = cell.removesuffix(".0")
    if not re.fullmatch(r"-?\d{1,9}", text):
        raise BadCell("write a whole number")
    return int(text)


# ---- money

_PLAIN_AMOUNT = re.compile(r"\d+")
_GROUPED = re.compile(r"\d{1,3}(?:([ .,'\u00a0\u202f])\d{3})(?:\1\d{3})*")


def _split_amount(text: str, mark: str | None) -> tuple[str, str]:
    """Return whole digits and decimal digits of an unsigned amount."""
    if _PLAIN_AMOUNT.fullmatch(text):
        return text, ""
    if mark is None:
        last = max(text.rfind("."), text.rfind(","))
        if last < 0:
            whole, part = text, ""
        else:
            sign = text[last]
            others = text[:last]
            if text.count(sign) > 1:  # 1.234.567: a sign that stands twice groups thousands
                whole, part = text, ""
            elif len(text) - last - 1 == 3 and not any(c in others for c in ".,'  \u00a0\u202f") and 0 < last <= 3:
                raise BadCell(
                    "it can be read with thousands or with decimals: say which sign marks the decimals "
                    f"(--decimal , or --decimal .), or write {others}{text[last + 1 :]}.00"
                )
            else:
                whole, part = others, text[last + 1 :]
    else:
        whole, _, part = text.partition(mark)
    if not whole:
        whole = "0"
    if not _PLAIN_AMOUNT.fullmatch(whole):
        grouped = _GROUPED.fullmatch(whole)
        if grouped is None or (mark is not None and grouped[1] == mark):
            raise BadCell("write an amount such as 1234.56, without letters or signs of currency")
        whole = whole.replace(grouped[1], "")
    if part and not (part.isascii() and part.isdigit()):
        raise BadCell("write an amount such as 1234.56, without letters or signs of currency")
    return whole, part


def amount(cell: str, currency: str, mark: str | None) -> int:
    """Return decimal text as minor units of a currency, exactly."""
    text = cell.strip()
    if text.startswith("-") or (text.startswith("(") and text.endswith(")")):
        raise BadCell("a debt cannot be negative: leave credit balances out of the file")
    whole, part = _split_amount(text.removeprefix("+"), mark)
    exponent = EXPONENTS[currency]
    if len(part) > exponent:
        if part[exponent:].strip("0"):
            raise BadCell(f"{currency} has {exponent} decimals: round it, or check which sign marks the decimals")
        part = part[:exponent]
    digits = (whole + part.ljust(exponent, "0")).lstrip("0")
    if len(digits) > MAX_DIGITS:
        raise BadCell(f"more than {MAX_DIGITS} digits: check that the columns did not slip")
    return int(digits or "0")


def infer_decimal_mark(cells: Iterable[str]) -> str | None:
    """Return the sign that marks decimals where some amounts leave no doubt and none contradicts them."""
    seen: set[str] = set()
    for cell in cells:
        text = cell.strip()
        last = max(text.rfind("."), text.rfind(","))
        if last < 0:
            continue
        sign = text[last]
        other = "," if sign == "." else "."
        if text.count(sign) > 1:
            seen.add(other)
        elif len(text) - last - 1 != 3 or other in text:
            seen.add(sign)
    return seen.pop() if len(seen) == 1 else None


def currency_code(cell: str) -> str:
    """Return an ISO 4217 code."""
    code = cell.strip().upper()
    if code not in EXPONENTS:
        raise BadCell("write the ISO 4217 code of the currency, e.g. EUR, COP or USD")
    return code


# ---- dates and instants

_ISO_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:[T ]00:00(?::00(?:\.0+)?)?)?")
_COMPACT_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})")
_LOCAL_DATE = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})")


def infer_date_order(cells: Iterable[str]) -> str | None:
    """Return `dmy` or `mdy` where some dates leave no doubt and none contradicts them."""
    seen: set[str] = set()
    for cell in cells:
        if found := _LOCAL_DATE.fullmatch(cell.strip()):
            first, second = int(found[1]), int(found[2])
            if first > 12:
                seen.add("dmy")
            elif second > 12:
                seen.add("mdy")
    return seen.pop() if len(seen) == 1 else None


@lru_cache(maxsize=65536)
def iso_date(cell: str, order: str | None) -> str:
    """Return a date as ISO text."""
    text = cell.strip()
    try:
        if found := _ISO_DATE.fullmatch(text) or _COMPACT_DATE.fullmatch(text):
            return _day(int(found[1]), int(found[2]), int(found[3]))
        if found := _LOCAL_DATE.fullmatch(text):
            first, second, year = int(found[1]), int(found[2]), int(found[3])
            if order is None and first <= 12 and second <= 12 and first != second:
                raise BadCell("day and month cannot be told apart: write 2026-11-30, or say --dates dmy or --dates mdy")
            day, month = (second, first) if order == "mdy" or (order is None and second > 12) else (first, second)
            return _day(year, month, day)
    except ValueError as error:
        raise BadCell(f"no such day ({error}): write it as 2026-11-30") from None
    raise BadCell("write the date as 2026-11-30")


def _day(year: int, month: int, day: int) -> str:
    if not 1900 <= year < 2200:
        raise BadCell("check the year")
    return date(year, month, day).isoformat()


@lru_cache(maxsize=65536)
def day_start(iso: str, zone: str) -> int:
    """Return the instant at which an ISO date begins in a zone."""
    return from_datetime(datetime.fromisoformat(iso).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC))


def day_start_of(cell: str, form: Form) -> int:
    """Return the instant of ISO text; of a bare date, the beginning of its day in the form's zone."""
    text = cell.strip()
    return instant(text, form) if len(text) > 10 else day_start(iso_date(text, form.date_order), form.zone)


def day_end(iso: str, zone: str) -> int:
    """Return the instant at which an ISO date has ended in a zone."""
    return day_start((date.fromisoformat(iso) + timedelta(days=1)).isoformat(), zone)


def day_end_everywhere(cell: str, form: Form) -> int:
    """Return the instant of ISO text; of a bare date, when the last zone on earth has ended it.

    A person's last day ends at the person's midnight, wherever that is, and not at the floor's.
    """
    text = cell.strip()
    return instant(text, form) if len(text) > 10 else day_end(iso_date(text, form.date_order), _WESTERNMOST)


def instant(cell: str, form: Form) -> int:
    """Return the instant of ISO text, in the form's zone where the text has no offset; a bare date is its noon."""
    text = cell.strip()
    try:
        moment = datetime.fromisoformat(text.replace(" ", "T", 1) if len(text) > 10 else text)
    except ValueError:
        raise BadCell("write the instant as 2026-11-18T15:30:00+01:00") from None
    if not 1900 <= moment.year < 2200:
        raise BadCell("check the year")
    if len(text) <= 10:
        moment = moment.replace(hour=12)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(form.zone))
    return from_datetime(moment.astimezone(UTC))


# ---- places and languages

#: Currency and language of rows that name none, by country.
DEFAULT_CURRENCY = {
    "ES": "EUR", "PT": "EUR", "FR": "EUR", "DE": "EUR", "IT": "EUR", "IE": "EUR", "CO": "COP", "US": "USD", "GB": "GBP",
    "MX": "MXN", "PE": "PEN", "CL": "CLP", "AR": "ARS", "BR": "BRL", "EC": "USD", "PA": "USD",
}  # fmt: skip
_SPANISH = frozenset(
    ["ES", "CO", "MX", "PE", "CL", "AR", "EC", "PA", "UY", "PY", "BO", "VE", "CR", "GT", "HN", "NI", "SV", "DO", "CU"]
)
_LANGUAGE_NAMES = {
    "spanish": "es", "espanol": "es", "castellano": "es", "english": "en", "ingles": "en", "portuguese": "pt",
    "portugues": "pt", "french": "fr", "frances": "fr", "catalan": "ca",
}  # fmt: skip


@lru_cache(maxsize=4096)
def country_code(cell: str) -> str:
    """Return an ISO 3166 code of two letters."""
    text = cell.strip()
    code = COUNTRY_NAMES.get(plain(text), text.upper())
    if code not in phonenumbers.SUPPORTED_REGIONS:
        raise BadCell("write the ISO code of the country, e.g. ES, CO or US")
    return code


@lru_cache(maxsize=4096)
def language_code(cell: str) -> str:
    """Return a language code in lower case, its region in upper case."""
    text = _LANGUAGE_NAMES.get(plain(cell), cell.strip())
    if not re.fullmatch(r"[A-Za-z]{2,3}(?:[-_][A-Za-z]{2})?", text):
        raise BadCell("write the code of the language, e.g. es, en or es-CO")
    language, _, region = text.replace("_", "-").partition("-")
    return language.lower() + (f"-{region.upper()}" if region else "")


def default_language(country: str) -> str:
    """Return the language most spoken in a country, of those with prompts."""
    return "es" if country in _SPANISH else "pt" if country in ("BR", "PT") else "en"

"""Cells of a file: one value, or what to do about it."""

import pytest

from domain.errors import BadInput
from domain.instants import parse
from domain.money import EXPONENTS, amount_text
from domain.people import ContactEvent, StopKind
from ledger.intake import cells, lists
from ledger.intake.cells import BadCell, Form
from ledger.intake.lists import Flag, PriorAttempt
from ledger.intake.phones import e164


@pytest.mark.parametrize(
    ("text", "currency", "mark", "minor"),
    [
        ("0", "EUR", None, 0),
        ("120.50", "EUR", None, 12050),
        ("120,5", "EUR", None, 12050),
        (".5", "EUR", None, 50),
        ("+7", "EUR", None, 700),
        ("1.234,56", "EUR", None, 123456),
        ("1,234.56", "EUR", None, 123456),
        ("1 234,56", "EUR", None, 123456),
        ("1'234.56", "EUR", None, 123456),
        ("1.234.567", "COP", None, 123456700),
        ("1.234", "EUR", ",", 123400),
        ("1.234", "JPY", ",", 1234),
        ("1.234", "KWD", ".", 1234),
        ("12.5000", "EUR", None, 1250),
        ("٣", "EUR", None, 300),
        ("9007199254740.93", "EUR", None, 900719925474093),
    ],
)
def test_amounts(text: str, currency: str, mark: str | None, minor: int) -> None:
    assert cells.amount(text, currency, mark) == minor


@pytest.mark.parametrize(
    ("text", "mark", "todo"),
    [
        ("1.234", None, "can be read with thousands or with decimals"),
        ("350,000", None, "can be read with thousands or with decimals"),
        ("1,234", ",", "EUR has 2 decimals"),
        ("-5", None, "negative"),
        ("(5)", None, "negative"),
        ("12 EUR", None, "without letters"),
        ("1.23.4567", None, "without letters"),
        ("12.345.6", None, "without letters"),
        ("1.234,56", ".", "without letters"),
        ("1e3", None, "without letters"),
        ("90071992547409.93", None, "more than 15 digits"),
    ],
)
def test_amounts_refused(text: str, mark: str | None, todo: str) -> None:
    with pytest.raises(BadCell, match=todo):
        cells.amount(text, "EUR", mark)


@pytest.mark.parametrize(
    ("texts", "mark"),
    [
        (["1.234", "10"], None),
        (["1.234", "10,50"], ","),
        (["350.000", "1.350.000"], ","),
        (["1,234.5"], "."),
        (["10.5", "10,5"], None),
        ([], None),
    ],
)
def test_decimal_marks_are_inferred_without_doubt_only(texts: list[str], mark: str | None) -> None:
    assert cells.infer_decimal_mark(texts) == mark


def test_amounts_as_text() -> None:
    assert amount_text(123450, "EUR") == "1234.50 EUR"
    assert amount_text(-5, "EUR") == "-0.05 EUR"
    assert amount_text(1234, "JPY") == "1234 JPY"
    assert amount_text(1, "KWD") == "0.001 KWD"
    assert len(EXPONENTS) > 150


@pytest.mark.parametrize(
    ("text", "order", "day"),
    [
        ("2026-11-30", None, "2026-11-30"),
        ("2026-11-30T00:00:00", None, "2026-11-30"),
        ("20261130", None, "2026-11-30"),
        ("30/11/2026", None, "2026-11-30"),
        ("11/30/2026", None, "2026-11-30"),
        ("3.4.2026", "dmy", "2026-04-03"),
        ("3-4-2026", "mdy", "2026-03-04"),
        ("4/4/2026", None, "2026-04-04"),
    ],
)
def test_dates(text: str, order: str | None, day: str) -> None:
    assert cells.iso_date(text, order) == day


@pytest.mark.parametrize("text", ["3/4/2026", "31/02/2026", "2026-13-01", "yesterday", "0026-11-30", "30/11/26"])
def test_dates_refused(text: str) -> None:
    with pytest.raises(BadCell):
        cells.iso_date(text, None)


def test_the_order_of_dates_is_inferred_without_doubt_only() -> None:
    assert cells.infer_date_order(["3/4/2026", "30/4/2026", ""]) == "dmy"
    assert cells.infer_date_order(["3/4/2026", "3/30/2026"]) == "mdy"
    assert cells.infer_date_order(["30/4/2026", "3/30/2026"]) is None


def test_instants() -> None:
    assert cells.instant("2026-11-18T10:05:00+01:00", Form()) == parse("2026-11-18T09:05:00Z")
    assert cells.instant("2026-11-18 10:05", Form(zone="America/Bogota")) == parse("2026-11-18T15:05:00Z")
    assert cells.instant("2026-11-18", Form(zone="Europe/Madrid")) == parse("2026-11-18T11:00:00Z")
    assert cells.day_start("2026-07-01", "Europe/Madrid") == parse("2026-06-30T22:00:00Z")
    for wrong in ("18/11/2026 10:05", "0001-01-01T00:00:00Z"):
        with pytest.raises(BadCell):
            cells.instant(wrong, Form())


@pytest.mark.parametrize(
    ("text", "country", "number"),
    [
        ("600 123 456", "ES", "+34600123456"),
        ("+34 600-12-34-56", "CO", "+34600123456"),
        ("0034600123456", "ES", "+34600123456"),
        ("600123456.0", "ES", "+34600123456"),
        ("3101234567", "CO", "+573101234567"),
        ("(212) 555-2368 ext. 12", "US", "+12125552368"),
        ("1 212 555 2368", "US", "+12125552368"),
        ("02 1234 5678", "IT", "+390212345678"),
    ],
)
def test_phones(text: str, country: str, number: str) -> None:
    assert e164(text, country) == number


@pytest.mark.parametrize("text", ["12", "600 123 45", "+1 555", "phone", "000000000", "+", "5.9e8"])
def test_phones_refused(text: str) -> None:
    with pytest.raises(BadCell):
        e164(text, "ES")


def test_places_and_languages() -> None:
    assert [cells.country_code(one) for one in ("es", "España", "EE.UU.", "Reino Unido", "CO")] == [
        "ES", "ES", "US", "GB", "CO",
    ]  # fmt: skip
    assert [cells.language_code(one) for one in ("ES", "Inglés", "es_co", "en-US")] == ["es", "en", "es-CO", "en-US"]
    assert [cells.default_language(one) for one in ("CO", "BR", "US")] == ["es", "pt", "en"]
    for read in (cells.country_code, cells.language_code, cells.currency_code):
        with pytest.raises(BadCell):
            read("nowhere")


def test_text() -> None:
    assert cells.free_text("  Ana\t María\u200b \n Gil ", 100) == "Ana María Gil"
    with pytest.raises(BadCell, match="shorten it to 5"):
        cells.free_text("Ana María", 5)
    assert cells.plain("Código  Postal (CP)") == "codigo_postal_cp"
    assert cells.whole_number("3.0") == 3
    with pytest.raises(BadCell):
        cells.whole_number("3.5")


def test_stops_and_consents() -> None:
    assert lists.stop_list("dispute@2026-10-01; Fallecido|dnc", None) == (
        (StopKind.dispute, Flag(True, "2026-10-01")),
        (StopKind.deceased, Flag(True)),
        (StopKind.do_not_call, Flag(True)),
    )
    assert [lists.flag(one, None) for one in ("Sí", "N", "2026-10-01")] == [
        Flag(True), Flag(False), Flag(True, "2026-10-01"),
    ]  # fmt: skip
    assert lists.consent_list("hours:call@2027-01-31;prior_express_consent", None) == (
        ("hours", "call", "2027-01-31"),
        ("prior_express_consent", None, None),
    )
    for read, text in (
        (lists.stop_list, "wrong_number"),
        (lists.stop_list, "whatever"),
        (lists.flag, "perhaps"),
        (lists.consent_list, ":call"),
        (lists.consent_list, "hours:smoke"),
    ):
        with pytest.raises(BadCell):
            read(text, None)


def test_prior_attempts() -> None:
    text = (
        "2026-11-18T10:05:00Z; 2026-11-17 carta message_sent;2026-11-16T10:00Z voz busy 600123456;"
        "2026-11-15T10:00Z sms;2026-11-14T10:00Z correo answered;2026-11-13T10:00Z buzon"
    )
    assert lists.attempt_list(text, "ES", Form()) == [
        PriorAttempt(parse("2026-11-18T10:05:00Z"), "call", "dialed", None),
        PriorAttempt(parse("2026-11-17T12:00:00Z"), "letter", "message_sent", None),
        PriorAttempt(parse("2026-11-16T10:00:00Z"), "call", "busy", "+34600123456"),
        # In writing and in a mailbox nobody is dialled: a message went out.
        PriorAttempt(parse("2026-11-15T10:00:00Z"), "sms", "message_delivered", None),
        PriorAttempt(parse("2026-11-14T10:00:00Z"), "email", "message_delivered", None),
        PriorAttempt(parse("2026-11-13T10:00:00Z"), "voicemail", "voicemail_left", None),
    ]
    assert lists.contact_event("No answer") is ContactEvent.no_answer
    for wrong in ("2026-11-18T10:05Z fax busy", "2026-11-18T10:05Z call sneezed", "2026-11-18T10:05Z a b c d"):
        with pytest.raises(BadCell):
            lists.attempt_list(wrong, "ES", Form())


@pytest.mark.parametrize(
    "wrong", [{"decimal_mark": "'"}, {"date_order": "ymd"}, {"country": "Spain"}, {"zone": "Madrid"}]
)
def test_a_form_that_cannot_be_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(BadInput, match="form of the file"):
        Form(**wrong)

"""Conditions: what they say of debtors, and where they point when they are wrong."""

from typing import Any

import numpy as np
import pytest

from domain.errors import BadInput
from strategy.expressions import Field, parse, parse_quantity

FIELDS = {
    "days_past_due": Field(kind="number", unit="days", meaning="since the oldest open debt was due"),
    "balance": Field(kind="number", unit="minor units", meaning="what is owed"),
    "paid": Field(kind="number", unit="minor units", meaning="what was paid"),
    "country": Field(kind="word", meaning="of the debtor", words=("ES", "PT", "GB"), names={"reino_unido": "GB"}),
    "product": Field(kind="word", meaning="of the oldest debt"),
    "promise_open": Field(kind="flag", meaning="a promise is open"),
}
DEBTORS: dict[str, Any] = {
    "days_past_due": np.array([10, 40, 90, np.nan]),
    "balance": np.array([100_00, 300_00, 50_00, 900_00]),
    "paid": np.array([0.0, 100_00, 50_00, np.nan]),
    "country": np.array(["ES", "PT", None, "GB"], object),
    "product": np.array(["loan", "card", "loan", None], object),
    "promise_open": np.array([False, True, False, True]),
}


def who(text: str) -> list[int]:
    return np.flatnonzero(parse(text, FIELDS, "here").holds(DEBTORS)).tolist()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("true", [0, 1, 2, 3]),
        ("false", []),
        ("days_past_due > 30", [1, 2]),
        ("days_past_due > 30 and balance >= 200_00", [1]),
        ("days_past_due > 30 or balance >= 200_00", [1, 2, 3]),
        ("10 <= days_past_due < 90", [0, 1]),
        ("promise_open", [1, 3]),
        ("not promise_open", [0, 2]),
        ("promise_open == true", [1, 3]),
        ('country == "ES"', [0]),
        ('country != "ES"', [1, 3]),
        ('country in ("ES", "GB")', [0, 3]),
        ('country not in ("ES", "GB")', [1]),
        ("days_past_due in (10, 90)", [0, 2]),
        ("days_past_due not in [-1, 90]", [0, 1]),
        ("balance - paid > 100_00", [1]),
        ("-balance < -200_00", [1, 3]),
        ("missing(country)", [2]),
        ("missing(promise_open)", []),
        ("not missing(paid) and balance == paid", [2]),
        ("  (days_past_due > 30\n or country == 'GB')  ", [1, 2, 3]),
        ('product == "loan" and (country == "ES" or missing(country))', [0, 2]),
    ],
)
def test_who_is_meant(text: str, expected: list[int]):
    assert who(text) == expected


def test_what_is_not_known_neither_holds_nor_fails():
    assert who("days_past_due > 30") == [1, 2]
    assert who("not days_past_due > 30") == [0]
    # One side that holds is enough, and one that fails.
    assert 3 in who("days_past_due > 30 or balance > 0")
    assert 3 in who("not (days_past_due > 30 and balance < 0)")


def test_divided_by_nothing_is_not_known():
    assert who("balance / paid > 0") == [1, 2]
    assert who("not balance / paid > 0") == []


def test_a_condition_tells_what_it_looks_at():
    assert parse("missing(paid) or balance > 0", FIELDS, "here").reads == {"paid", "balance"}


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("days_past_du > 30", 1, "days_past_du is no field; do you mean days_past_due?"),
        ("balance > 0 and zzz", 17, "zzz is no field; the fields are balance, country"),
        ("balance > 'x'", 11, "'x' is a word in quotes; a number is needed here"),
        ("balance", 1, "balance is a number; yes or no is needed here"),
        ("promise_open and balance", 18, "balance is a number; yes or no is needed here"),
        ("country > 'ES'", 1, "country is a word in quotes, and has no order"),
        ("country == 'Es'", 12, "country is never 'Es'; do you mean 'ES'?"),
        ("country in ('ES', 'FR')", 19, "country is never 'FR'; it is one of ES, PT, GB"),
        ("country in 'ES'", 12, "in wants what it may be in parentheses"),
        ("balance in (paid, 3)", 13, "paid is no number and no word in quotes"),
        ("country is 'ES'", 12, "write == or !="),
        ("balance > 0 and", 13, "nothing comes after and; write what does, or remove it"),
        ("(balance >) and promise_open", 10, "nothing comes after >"),
        ("balance = 5", 9, "= is no sign of a condition; write =="),
        ("promise_open AND balance > 5", 14, "AND is no word of a condition; write and, in small letters"),
        ("promise_open\n  Or balance > 5", 16, "Or is no word of a condition; write or, in small letters"),
        ("NOT promise_open", 1, "write not, in small letters"),
        ("promise_open or TRUE", 17, "write true, in small letters"),
        ("balance => 5", 9, "=> is no sign of a condition; write >="),
        ("balance >= 5 && promise_open", 14, "&& is no sign of a condition; write and"),
        ("balance >= 5 || promise_open", 14, "|| is no sign of a condition; write or"),
        ("balance <> 5", 9, "<> is no sign of a condition; write !="),
        ("!promise_open", 1, "! is no sign of a condition; write not"),
        ("ñ == 'á&&' or balance ≥ 5", 23, "≥ is no sign of a condition; write >="),
        ("country == “ES”", 12, '“ is no sign of a condition; write "'),
        ("country == 'ES", 12, "this quote is not closed on its line"),
        ("paid > 3 %", 10, "shares are from 0 to 1: 3 % is written 0.03"),
        (
            "balance > 200,00",
            11,
            "200,00 has a comma; decimals have a point: 200.00; and money is in minor units: 200_00",
        ),
        ("balance > 1.200,50 or paid > 0", 11, "money is in minor units: 1200_50 where it has two decimals"),
        ("balance > 1,200", 11, "1,200 has a comma; write it without: 1200; money is in minor units"),
        ("balance in (10,90, 200,00)", 20, "200,00 has a comma"),
        ("balance > 1) or (balance < 5", 12, ") closes what nothing opens; remove it, or write ( where it begins"),
        ("(balance > 1 or paid < 5", 1, "( is never closed; close it, or remove it"),
        ("balance in (1, 2]", 17, "] closes what ( opens"),
        ("country in ('ES' 'PT',)", 18, "nothing stands between 'ES' and 'PT'; write a comma between them"),
        ("country == 'E'\n'S'", 16, "nothing stands between 'E' and 'S'"),
        ("balance > 200 EUR", 15, "nothing stands between 200 and EUR; write a comparison, and, or between them"),
        ("country == ES", 12, 'ES is no field; a word stands in quotes: "ES"'),
        ("FR == country", 1, 'FR is no field; a word stands in quotes: "FR"'),
        ("country in (ES, 'PT')", 13, 'ES is no field; a word stands in quotes: "ES"'),
        ("country == produc", 12, "produc is no field; do you mean product?"),
        ("country == 'Reino Unido'", 12, "country is never 'Reino Unido'; do you mean 'GB'?"),
        ("country is null", 12, "nothing is known where missing(country) holds; write that"),
        ("missing('country')", 1, "missing takes the name of one field, without quotes: missing(country)"),
        ("missing(country, paid)", 1, "without quotes: missing(balance)"),
        ("balance > 1e999", 11, "1e999 is more than any field holds"),
        ("balance > 9" + 20 * "0", 11, "is more than any field holds"),
        ("balance > " + 1_900 * "-" + "1", 110, "more than 100 operations within one another"),
        ("balance ^ 2 > 1", 1, "balance ^ 2 is not allowed; a condition compares"),
        ("balance > 5 €", 13, "invalid character '€' (U+20AC); a condition compares"),
        ("balance >> 2 > 0", 1, "balance >> 2 is not allowed"),
        ("__import__('os').system('x')", 1, "is not allowed"),
        ("balance.real > 0", 1, "balance.real is not allowed"),
        ("[x for x in (1,)]", 1, "is not allowed"),
        ("missing('balance')", 1, "missing takes the name of one field"),
        ("balance > 0\n  and zz > 1", 19, "zz is no field"),
        ("  ñ > 1", 3, "ñ is no field"),
        ("product == 'ñandú' and zz", 24, "zz is no field"),
        ("lambda: 1", 1, "is not allowed"),
        ("balance if paid else 1", 1, "is not allowed"),
        ("(balance := 3) > 1", 2, "is not allowed"),
        ("balance ** 99 > 1", 1, "is not allowed"),
        ("balance > 1j", 12, "nothing stands between 1 and j"),
        ("balance > None", 11, "None is not allowed"),
    ],
)
def test_a_mistake_is_pointed_at(text: str, column: int, words: str):
    with pytest.raises(BadInput) as caught:
        parse(text, FIELDS, "late.toml, line 4, when")
    told = str(caught.value)
    assert told.startswith(f"late.toml, line 4, when: column {column}: ")
    assert words in told
    line, mark = told.splitlines()[-2:]
    assert line.strip() in text
    # The mark stands under the first letter of what is wrong.
    position = mark.index("^")
    assert text.splitlines()[text[: column - 1].count("\n")] == line[4:]
    assert (line + " ")[position] == (text + " ")[column - 1]


@pytest.mark.parametrize("text", ["", "   ", "(" * 500 + "true" + ")" * 500, "balance > 0 and " * 200 + "true"])
def test_what_is_no_condition_is_refused(text: str):
    with pytest.raises(BadInput, match="here: "):
        parse(text, FIELDS, "here")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("balance", [100_00, 300_00, 50_00, 900_00]),
        ("balance - paid", [100_00, 200_00, 0, None]),
        ("-days_past_due * 2", [-20, -80, -180, None]),
        ("7", [7, 7, 7, 7]),
        ("balance / (days_past_due - 10)", [None, 1000, 62.5, None]),
    ],
)
def test_quantities(text: str, expected: list[float | None]) -> None:
    found = parse_quantity(text, FIELDS, "here").of(DEBTORS, 4)
    assert [None if np.isnan(one) else one for one in found] == expected


@pytest.mark.parametrize("text", ["country", "balance > 3", "", "balence", "1 +"])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(BadInput, match=r"^here: "):
        parse_quantity(text, FIELDS, "here")


def test_spellings_of_the_same_have_one_text() -> None:
    same = {
        parse(text, FIELDS, "x").normal for text in ("balance>=200_00", "(balance >= 20000)", "balance\n >= 20_000")
    }
    assert len(same) == 1
    assert parse("true", FIELDS, "x").everybody
    assert not parse("not true", FIELDS, "x").everybody

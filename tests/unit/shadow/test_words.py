"""What another dialer may write, and what it is told where it may not."""

import pytest

from dialer.shadow import words
from domain.calls import Cause
from domain.errors import BadInput
from domain.instants import parse


def test_instants_are_unix_seconds_or_iso_with_offset() -> None:
    as_number = words.read('{"event":"dialled","at":1795000000.25,"call":"1","campaign":"es"}', "l")
    assert as_number == (1_795_000_000_250_000, words.Dialled(at=1795000000.25, call="1", campaign="es"))
    at_us, word = words.read(b'{"event":"ended","at":"2026-11-18T15:30:00+01:00","call":"1","cause":"busy"}', "l")
    assert at_us == parse("2026-11-18T14:30:00Z")
    assert word == words.Ended(at="2026-11-18T15:30:00+01:00", call="1", cause=Cause.busy)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("not json", "feed:7: is no event"),
        ('{"event":"rang","at":1,"call":"1"}', "Invalid value 'rang'"),
        ('{"event":"answered","at":1}', "missing required field `call`"),
        ('{"event":"answered","at":1,"call":"1","number":"+34600000000"}', "unknown field `number`"),
        ('{"event":"answered","at":"18:00","call":"1"}', "at: .*18:00.*Unix seconds"),
        ('{"event":"answered","at":1795000000000,"call":"1"}', "at must be Unix seconds"),
    ],
)
def test_a_line_that_is_no_word_is_refused_where_it_stands(line: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        words.read(line, "feed:7")

"""What a dialled number does in the lab stands in its last six digits, O RR TT F, of a valid national number.

O says what happens (`Outcome`), RR for how long it rings before that (tenths of a second), TT how long the callee stays
after the answer (half seconds; tenths for `leaves`; 00: until we hang up), F is free. The digits before them and F make
numbers distinct that behave the same: 2,000 or more in each country. The other half is `config/asterisk/lab/pstn.xml`.
"""

from enum import IntEnum

import msgspec

from domain.errors import BadInput


class Outcome(IntEnum):
    """First of the six digits."""

    rejected = 0
    #: Answers and is silent: machine detection cannot tell.
    answer = 1
    #: Answers and hangs up soon, whether an agent came or not.
    leaves = 2
    busy = 3
    #: Rings until we give up.
    no_answer = 4
    not_in_service = 5
    congestion = 6
    #: A person who says hello.
    human = 7
    #: An answering machine with a long greeting.
    machine = 8
    #: Rings and then the network gives up (480).
    unreachable = 9


class Behaviour(msgspec.Struct, frozen=True, kw_only=True):
    outcome: Outcome
    ring_s: float = 0.2
    #: 0: stays until we hang up.
    talk_s: float = 0.0


#: Country code, and ranges of digits before the six under which any six are a valid number of a subscriber. Of the US
#: only area codes of Eastern and Central time, where the lab's clock stands within the hours of calling.
RANGES: dict[str, tuple[str, tuple[tuple[int, int], ...]]] = {
    "ES": ("34", ((600, 699), (710, 749), (911, 919), (921, 928), (931, 939), (941, 969), (971, 988))),
    "CO": ("57", ((3000, 3059), (3100, 3239), (3500, 3519), (6011, 6019), (6042, 6049), (6052, 6059))),
    "US": ("1", tuple(
        (area * 10 + 2, area * 10 + 9)
        for area in (
            205, 214, 215, 216, 301, 312, 313, 317, 402, 404, 405, 412, 414, 501, 502, 504, 512, 601, 612, 614, 704,
            713, 803, 804, 816, 901,
        )
    )),
    "MX": ("52", ((3310, 3389), (5500, 5699))),
    "GB": ("44", ((7400, 7409), (7701, 7780), (7782, 7796), (7800, 7828), (7830, 7838), (7940, 7999))),
}  # fmt: skip


def lab_number(country: str, behaviour: Behaviour, serial: int = 0) -> str:
    """Return the serial-th number of a country that behaves so, in E.164.

    Raises
    ------
    BadInput
        For a country without ranges, a time that the digits cannot hold, or more numbers than there are.
    """
    if country not in RANGES:
        raise BadInput(f"lab numbers: no ranges for country {country!r}; use one of {', '.join(RANGES)}")
    code, ranges = RANGES[country]
    head, free = divmod(serial, 10)
    for first, last in ranges:
        if head <= last - first:
            return f"+{code}{first + head}{_digits(behaviour)}{free}"
        head -= last - first + 1
    raise BadInput(f"lab numbers: {country} has no number {serial} of one behaviour; change its times a little")


def lab_outcome(number: str) -> Behaviour:
    """Return what a number does when it is dialled in the lab."""
    outcome, rings, talks = Outcome(int(number[-6])), int(number[-5:-3]), int(number[-3:-1])
    return Behaviour(outcome=outcome, ring_s=rings / 10, talk_s=talks / _talk_units_per_s(outcome))


def _talk_units_per_s(outcome: Outcome) -> int:
    return 10 if outcome is Outcome.leaves else 2


def _digits(behaviour: Behaviour) -> str:
    units_per_s = _talk_units_per_s(behaviour.outcome)
    rings, talks = round(behaviour.ring_s * 10), round(behaviour.talk_s * units_per_s)
    if not (0 <= rings <= 99 and 0 <= talks <= 99):
        raise BadInput(
            f"lab numbers: {behaviour} does not fit; ring_s may be 0 to 9.9, talk_s 0 to {99 / units_per_s:g}"
        )
    return f"{behaviour.outcome:d}{rings:02d}{talks:02d}"

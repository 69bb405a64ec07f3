"""The serving set of scores as strategies read it: fields of people (`strategy.fields`), chances of their numbers."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from domain.forecasts import UNIT, WEEK
from domain.instants import DAY
from ledger.database import Reading, streamed
from ledger.reservations import batches
from ledger.schema import score, score_person
from ledger.scores import ScoreSet, latest
from strategy.fields import SCORES, Numbers, Scores

#: An older set says too little about today to be gone by.
STALE_US: Final = 8 * DAY
_amounts = msgspec.json.Decoder(dict[str, float])
#: The channel of calls in what is said of a contact.
_CALL: Final = "call"


def serving(reading: Reading, connection: Connection, at_us: int, wanted: frozenset[str]) -> Scores | None:
    """Return the scores that serve lists made at an instant; None: there are none, or they are too old.

    Parameters
    ----------
    reading : callable
        Opens the ledger for whoever asks about numbers later.
    wanted : frozenset of str
        Fields of `SCORES` that are read; what takes long is left out otherwise.

    Notes
    -----
    `p_reach` and `p_right` are those of a person's best number, over the hours of a
    week from 9 to 21; `value_call` is what a contact adds times `p_right`.
    """
    made = latest(connection)
    if made is None or not made.at_us <= at_us < made.at_us + STALE_US:
        return None
    persons, values = _of_people(connection, made, wanted)
    if {"p_reach", "p_right", "value_call"} & wanted:
        values |= _of_numbers(connection, made, persons)
        if "value_contact" in values:
            values["value_call"] = values["value_contact"] * values["p_right"]
    version = ",".join(made.versions[head] for head in sorted(made.versions))

    def numbers(persons: Sequence[int]) -> Numbers:
        with reading() as later:
            return _numbers(later, made.number, persons)

    return Scores(persons, {name: values[name] for name in SCORES if name in values}, version, numbers)


def _of_people(
    connection: Connection, made: ScoreSet, wanted: frozenset[str]
) -> tuple[NDArray[np.int64], dict[str, Any]]:
    told = ("p_promise", "p_pay", "p_self_cure")
    columns = [score_person.c[name] for name in ("person", *told, "uplift", "value_minor")]
    query = select(*columns).where(score_person.c.score_set == made.number).order_by(score_person.c.person)
    rows = list(streamed(connection, query))
    persons = np.fromiter((row.person for row in rows), np.int64)
    values = {name: _floats(getattr(row, name) for row in rows) for name in told}
    if "p_pay_uplift" in wanted:
        values["p_pay_uplift"] = _floats(_of_call(row.uplift) for row in rows)
    if {"value_contact", "value_call"} & wanted:
        values["value_contact"] = _floats(_of_call(row.value_minor) for row in rows)
    return persons, values


def _of_call(told: str | None) -> float | None:
    return None if not told else _amounts.decode(told).get(_CALL)


def _of_numbers(connection: Connection, made: ScoreSet, persons: NDArray[np.int64]) -> dict[str, Any]:
    found = {name: np.full(len(persons), np.nan) for name in ("p_reach", "p_right")}
    columns = [score.c[name] for name in ("person", "p_answered", "p_right")]
    day = np.arange(WEEK) % 24
    by_day = (day >= 9) & (day < 21)
    for row in streamed(connection, select(*columns).where(score.c.score_set == made.number)):
        place = int(np.searchsorted(persons, row.person))
        if place == len(persons) or persons[place] != row.person:
            continue
        for name, packed in (("p_reach", row.p_answered), ("p_right", row.p_right)):
            if packed is not None:
                found[name][place] = np.fmax(found[name][place], _week(packed)[by_day].mean())
    return found


def _numbers(connection: Connection, number: int, persons: Sequence[int]) -> Numbers:
    rows: list[Any] = []
    columns = [score.c[name] for name in ("person", "phone", "p_answered", "p_right", "p_machine")]
    for some in batches(persons):
        query = select(*columns).where(score.c.score_set == number, score.c.person.in_(some))
        rows += connection.execute(query.order_by(score.c.person, score.c.phone)).all()
    return Numbers(
        person=np.fromiter((row.person for row in rows), np.int64),
        phone=np.fromiter((row.phone for row in rows), np.int64),
        p_answered=_weeks([row.p_answered for row in rows]),
        p_right=_weeks([row.p_right for row in rows]),
        p_machine=_floats(row.p_machine for row in rows).astype(np.float32),
    )


def _weeks(packed: Sequence[bytes | None]) -> NDArray[np.float32]:
    found = np.full((len(packed), WEEK), np.nan, np.float32)
    for row, one in enumerate(packed):
        if one is not None:
            found[row] = _week(one)
    return found


def _week(packed: bytes) -> NDArray[np.float32]:
    return np.frombuffer(packed, "<u2").astype(np.float32) / np.float32(UNIT)


def _floats(values: Any) -> NDArray[np.float64]:
    return np.array([np.nan if value is None else value for value in values], np.float64)

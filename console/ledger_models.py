"""What the commands of models do with the ledger: its history read, every head fitted, everybody scored."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from domain.errors import BadInput

if TYPE_CHECKING:
    from console.settings import Settings
    from ledger.scores import PersonScore, ScoreSet
    from models.lessons import Record
    from models.registry import Manifest, Model, Registry
    from models.scoring import Part
    from models.table import Given
    from models.training import Judgement

Report = Callable[[str, int, int], None]


class Scored(msgspec.Struct, frozen=True, kw_only=True):
    """A set of scores, with how long it took."""

    set: "ScoreSet"
    seconds: float
    people_per_second: float


@contextmanager
def export(folder: Path, history: str, report: Report, subjects: Sequence[str] = ()) -> Iterator[str]:
    """Give the folder of an export: the one named, or one of the working folder's ledger, gone afterwards.

    Parameters
    ----------
    subjects : names, optional
        Wanted of the ledger; without it, what models read.
    """
    if history:
        yield history
        return
    from console import settings
    from ledger.parquet import FOR_MODELS, export_parquet
    from ledger.store import open_ledger

    loaded = settings.load(folder)
    wanted = subjects or FOR_MODELS
    done = 0

    def told(_subject: str, _rows: int) -> None:
        nonlocal done
        done += 1
        report("reading the ledger", done, len(wanted))

    with tempfile.TemporaryDirectory(prefix="cadencia-history-") as made:
        with open_ledger(loaded.ledger_url) as ledger:
            told_rows = export_parquet(ledger, made, told, only=wanted)
        if not told_rows["debtors"]:
            raise BadInput(
                f"{loaded.folder}: nobody owes anything in its ledger yet; `cadencia import` a portfolio, or make a "
                "past to try with: cadencia simulate history"
            )
        yield made


@contextmanager
def record_of(
    folder: Path, history: str, until: str, report: Report, protected: Path | None = None
) -> Iterator["Record"]:
    """Give the ledger's history as it was known by the end of a day, with what is audited besides."""
    from models.lessons import read_record

    until_us = end_of(until, folder, history) if until else None
    given = None if protected is None else _of_people(folder, history, protected)
    with export(folder, history, report) as source:
        report("reading the history", 0, 1)
        yield read_record(source, until_us, given, str(protected))


def _of_people(folder: Path, history: str, path: Path) -> Any:
    """Return the rows of a file about people, each with the id of the person that its account belongs to.

    Raises
    ------
    BadInput
        When it cannot be read, or names no account on record.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    from sqlalchemy import select

    from console import settings
    from ledger.schema import debt
    from ledger.store import open_ledger
    from models.table import read_source, words_of

    found = read_source(path)
    if "person" in found.column_names or "account" not in found.column_names:
        return found
    if history:
        raise BadInput(f"{path}: an export knows no accounts; give the column person, with its ids")
    with open_ledger(settings.load(folder).ledger_url) as ledger, ledger.reading() as connection:
        rows = connection.execute(select(debt.c.account, debt.c.person)).all()
    # Of a debtor of several accounts the last row counts.
    place = pc.index_in(words_of(found.column("account"), "account", str(path)), pa.array([row[0] for row in rows]))
    person = pa.array([row[1] for row in rows]).take(place.combine_chunks())
    known = found.drop_columns(["account"]).append_column("person", person).filter(pc.is_valid(person))
    if not known.num_rows:
        raise BadInput(f"{path}: none of its accounts is on record; write them as the creditors do")
    return (
        known.group_by("person", use_threads=False)
        .aggregate([(name, "last") for name in known.column_names if name != "person"])
        .rename_columns({f"{name}_last": name for name in known.column_names if name != "person"})
    )


def end_of(day: str, folder: Path, history: str) -> int:
    """Return the end of a day of the floor's calendar.

    Raises
    ------
    BadInput
        When it is no day.
    """
    from datetime import date, timedelta

    from domain.instants import midnight_us

    try:
        after = date.fromisoformat(day) + timedelta(days=1)
    except (ValueError, OverflowError):
        raise BadInput(f"--until must be a day as 2026-11-29, was {day!r}; correct it") from None
    return midnight_us(after, zone_of(folder, history))


def zone_of(folder: Path, history: str) -> str:
    """Return the floor's zone; of an export without a working folder, UTC."""
    from console import settings

    if history and not (folder / settings.SETTINGS_FILE).is_file():
        return "UTC"
    return settings.load(folder).floor.zone


def fit(
    record: "Record", registry: "Registry", wanted: Sequence[str], *, days: int, workers: int, cluster: str,
    made_at: str, report: Report,
) -> tuple[list[tuple["Manifest", "Judgement"]], dict[str, str]]:  # fmt: skip
    """Make a version of each head; return them, and why others are left out."""
    from console.versions import trained
    from models import crew, lessons, worth
    from models.training import train

    made, left_out = [], {}
    versions = trained()
    for head in wanted:

        def told(what: str, done: int, of: int, head: str = head) -> None:
            report(f"{head}: {what}", done, of)

        try:
            told("features", 0, 1)
            lesson = lessons.lesson(record, head, payment_days=days, threads=workers)
            table = lessons.table_of(lesson)
            found = None
            if lesson.trial is not None:
                told("whom a contact moves", 0, 1)
                found = crew.apart(worth.of_trial, lesson.trial)
            made.append(
                train(
                    table,
                    registry,
                    made_at=made_at,
                    versions=versions,
                    workers=workers,
                    cluster=cluster,
                    worth=found,
                    moments=lesson.moments,
                    report=told,
                )
            )
        except BadInput as error:
            left_out[head] = str(error)
    return made, left_out


def check_head(model: "Model") -> None:
    """Refuse a model of a table where rows of the ledger are wanted."""
    from models.heads import HEADS
    from models.scoring import check_own

    if model.manifest.name not in HEADS:
        raise BadInput(
            f"model {model.manifest.name} was made of a table: name the TABLE to look at; the ledger has rows for "
            f"{', '.join(HEADS)}"
        )
    check_own(model)


def given(record: "Record", model: "Model") -> "Given":
    """Return a head's rows with their outcomes, those later than what a version learned from.

    Raises
    ------
    BadInput
        When there is none.
    """
    import numpy as np
    import pyarrow as pa

    from models import lessons
    from models.table import Given

    data, head = model.manifest.data, model.manifest.name
    # A payment was made within as many days as the version says.
    days = max(1, round(model.manifest.schema.horizon))
    lesson = lessons.lesson(record, head, payment_days=days)
    later = np.asarray(lesson.source.column("at").cast(pa.int64())) > data.cut_off_at
    source = lesson.source.filter(pa.array(later))
    if not source.num_rows:
        raise BadInput(
            f"ledger, head {head}: nothing that happened since {data.cut_off}, the last that {model.version} learned "
            "from, has an outcome yet; come back when the floor has worked, or fit a version --until an earlier day"
        )
    moments = lesson.moments.take(later) if lesson.moments is not None else None
    return Given(table=source, where=f"ledger, head {head}", moments=moments)


def given_now(model: "Model", folder: Path, history: str, who: Sequence[str], at: str, report: Report) -> "Given":
    """Return the rows about which a head could be asked now."""
    import time

    import numpy as np

    from domain.instants import parse
    from models import lessons

    check_head(model)
    try:
        at_us = parse(at) if at else time.time_ns() // 1000
    except ValueError:
        raise BadInput(f"--at must be an instant such as 2026-11-29T10:00:00+01:00, was {at!r}; correct it") from None
    persons = np.array(persons_of(folder, history, who), np.int64) if who else None
    with record_of(folder, history, "", report) as record:
        return lessons.given_now(record, model.manifest.name, at_us, persons)


def persons_of(folder: Path, history: str, who: Sequence[str]) -> list[int]:
    """Return whom words mean: accounts of the ledger, or ids of people.

    Raises
    ------
    BadInput
        When one is neither.
    """
    from console import settings
    from ledger import queries
    from ledger.store import open_ledger

    found: list[int] = []
    if history:
        accounts: dict[str, list[int]] = {}
    else:
        with open_ledger(settings.load(folder).ledger_url) as ledger, ledger.reading() as connection:
            accounts = {word: [one.person for one in queries.accounts(connection, word)] for word in who}
    for word in who:
        if persons := accounts.get(word, []):
            found += persons
        elif word.isdecimal():
            found.append(int(word))
        else:
            raise BadInput(f"--who {word}: is no account on record and no id of a person; correct it")
    return found


def score(
    loaded: "Settings", registry: "Registry", source: str, *, at_us: int, threads: int, cluster: str, report: Report
) -> Scored:
    """Score everybody who owes by the champions, into the ledger."""
    import time

    from ledger import scores
    from ledger.store import open_ledger
    from models import scoring

    began = time.monotonic()
    served = scoring.champions(registry)
    zone = loaded.floor.zone
    parts = scoring.scored(source, served, at_us, zone, threads=threads, cluster=cluster, report=report)
    with open_ledger(loaded.ledger_url) as ledger:
        people = (one for part in parts for one in rows_of(part))
        made = scores.write(ledger, people, at_us=at_us, versions=served.versions, zone=zone)
    seconds = time.monotonic() - began
    return Scored(set=made, seconds=seconds, people_per_second=made.people / max(seconds, 1e-9))


def rows_of(part: "Part") -> Iterator["PersonScore"]:
    """Yield the scores of a part, person by person."""
    import numpy as np

    from ledger.scores import PersonScore, PhoneScore

    numbers, people = part
    first = np.searchsorted(numbers.person, people.person, side="left").tolist()
    last = np.searchsorted(numbers.person, people.person, side="right").tolist()
    phone = numbers.phone.tolist()

    def number(column: Any, row: int) -> float | None:
        if column is None or np.isnan(column[row]):
            return None
        return float(column[row])

    def known(by: Mapping[str, Any], row: int) -> dict[str, float] | None:
        return {name: float(of[row]) for name, of in by.items() if not np.isnan(of[row])} or None

    def packed(week: Any, row: int) -> bytes | None:
        return None if week is None else week[row].tobytes()

    for row, person in enumerate(people.person.tolist()):
        value = known(people.value_minor, row)
        yield PersonScore(
            person=person,
            p_promise=number(people.p_promise, row), p_kept=number(people.p_kept, row), p_pay=number(people.p_pay, row),
            p_self_cure=number(people.p_self_cure, row),
            uplift=known(people.uplift, row),
            value_minor=None if value is None else {name: round(of) for name, of in value.items()},
            currency=people.currency[row],
            phones=tuple(
                PhoneScore(
                    phone=phone[at], p_answered=packed(numbers.p_answered, at), p_right=packed(numbers.p_right, at),
                    p_valid=number(numbers.p_valid, at), p_machine=number(numbers.p_machine, at),
                )
                for at in range(first[row], last[row])
            ),
        )  # fmt: skip

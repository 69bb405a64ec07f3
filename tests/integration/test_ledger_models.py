"""The ledger's own models: every head fitted from its history, promoted, and everybody scored into it; read back."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from console.ledger_models import record_of, rows_of
from console.main import app
from domain.errors import BadInput
from domain.forecasts import WEEK
from domain.instants import DAY, iso
from ledger import scores
from ledger.schema import debt, score_person, score_set
from ledger.store import open_ledger
from models import best_times, heads, lessons
from models.best_times import Moments
from models.feature_kernel import Asked
from models.features import features
from models.lessons import Record, read_record
from models.registry import MODEL, WORTH, Model, Registry
from models.scoring import champions, scored, week_of
from models.slots import OF_THE_DAY
from models.worth import Worth
from tests.integration.trial_export import LONG, PAYING, PLAN, START_US, write_trial

# All heads are fitted before the first test.
pytestmark = pytest.mark.timeout(900)

#: After the last that the trial tells.
AS_OF_US = START_US + (PLAN.past_days + PLAN.spread_days + PLAN.horizon_days) * DAY


def cadencia(folder: Path, *words: str, status: int = 0) -> Any:
    done = CliRunner().invoke(app, [*words, "-C", str(folder), "--json"], catch_exceptions=True)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == status, done.output
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    write_trial(folder)
    return folder


@pytest.fixture(scope="module")
def long_export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("long")
    write_trial(folder, 2_000, LONG)
    return folder


@pytest.fixture(scope="module")
def paying_export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("paying")
    write_trial(folder, laws=PAYING)
    return folder


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, export: Path, long_export: Path, paying_export: Path) -> Path:
    """A working folder whose heads are champions, whatever the gate says of so short a record."""
    folder = tmp_path_factory.mktemp("desk") / "folder"
    CliRunner().invoke(app, ["init", str(folder)], catch_exceptions=False)
    # One process: a second would take longer to start than it saves on rows so few.
    made = cadencia(folder, "models", "fit", "--history", str(export), "--workers", "1")
    assert [one["name"] for one in made["made"]] == ["reach", "right_party", "promise", "payment", "machine", "valid"]
    assert set(made["left_out"]) == {"cure", "kept"}
    assert all(one.startswith(f"{head}: too little is on record yet") for head, one in made["left_out"].items())
    for head, other in (("kept", long_export), ("cure", paying_export)):
        made = cadencia(folder, "models", "fit", "--history", str(other), "--head", head, "--workers", "1")
        assert [one["name"] for one in made["made"]] == [head], made["left_out"]
    every = cadencia(folder, "models", "promote", "--all", status=1)
    assert {one["name"] for one in every} == set(heads.HEADS)
    refused = [one for one in every if not one["promoted"]]
    assert all(one["verdict"]["passed"] == one["promoted"] for one in every)
    for one in refused:
        assert cadencia(folder, "models", "promote", one["name"], "--despite", "a short record")["promoted"]
    return folder


@pytest.fixture(scope="module")
def record(export: Path) -> Record:
    return read_record(export)


def test_each_head_is_a_version_with_all_that_belongs_to_one(desk: Path) -> None:
    registry = Registry(desk / "trained")
    for head in heads.HEADS:
        manifest = registry.manifest(head, registry.resolve(head))
        assert set(heads.BARRED[head]) <= set(manifest.schema.barred)
        assert not set(manifest.schema.barred) & set(registry.load(head).encoding.features)
        assert manifest.schema.group == "person"
        assert cadencia(desk, "models", "card", head, "-v", "champion")["version"] == manifest.version
    assert set(OF_THE_DAY) <= set(registry.manifest("reach", registry.resolve("reach")).schema.barred)
    for head in heads.SLOTTED:
        assert "## Best times" in registry.content(head, registry.resolve(head), "card.md").decode()
    card = registry.content("payment", registry.resolve("payment"), "card.md").decode()
    assert "Whom a contact moves" in card
    learned = registry.read("payment", registry.resolve("payment"), WORTH, Worth)
    assert [one.channel for one in learned.channels] == ["call"]
    assert learned.channels[0].rows == registry.manifest("payment", registry.resolve("payment")).data.rows


def test_what_is_protected_is_audited_and_never_learned_from(desk: Path, export: Path, tmp_path: Path) -> None:
    people = pq.read_table(export / "debtors.parquet").column("person").to_pylist()
    # Not the seed of the lot, whose days would tell it.
    random = np.random.default_rng(77)
    sex, born = random.choice(["f", "m"], len(people)), random.integers(1940, 2005, len(people))
    pq.write_table(pa.table({"person": people, "sex": sex, "birth_year": born}), tmp_path / "people.parquet")
    folder = tmp_path / "folder"
    CliRunner().invoke(app, ["init", str(folder)], catch_exceptions=False)
    words = ("--history", str(export), "--protected", str(tmp_path / "people.parquet"), "--workers", "1")
    (made,) = cadencia(folder, "models", "fit", "--head", "valid", *words)["made"]
    registry = Registry(folder / "trained")
    manifest = registry.manifest("valid", made["version"])
    assert manifest.schema.protected == ("sex", "birth_year")
    assert not {"sex", "birth_year"} & set(registry.load("valid", made["version"]).encoding.features)
    before = Registry(desk / "trained")
    own = before.resolve("valid")
    assert registry.content("valid", manifest.version, MODEL) == before.content("valid", own, MODEL)
    groups = made["judged"]["fairness"]["groups"]
    assert {one["group"] for one in groups if one["field"] == "sex"} == {"f", "m"}
    assert len([one for one in groups if one["field"] == "birth_year"]) == 4
    assert all(0 < one["debtors"] <= one["rows"] for one in groups)
    # Drawn by lot: nothing tells it.
    proxies = made["judged"]["fairness"]["proxies"]
    assert {one["field"] for one in proxies} == {"sex", "birth_year"}
    assert all(one["level"] == "still" for one in proxies)
    card = registry.content("valid", manifest.version, "card.md").decode()
    assert "## Fairness" in card
    assert "| sex | f |" in card


def test_the_same_record_gives_the_same_version(desk: Path, export: Path) -> None:
    before = {one["name"]: one["version"] for one in cadencia(desk, "models", "list")}
    words = ("--head", "payment", "--head", "valid", "--workers", "1")
    again = cadencia(desk, "models", "fit", "--history", f"file://{export}", *words)
    # Judged against a champion now, it is one version more, of the same content.
    assert [one["version"][5:] for one in again["made"]] == [before[name][5:] for name in ("payment", "valid")]


def told(record: Record, model: Model, asked: Asked, *, action: str = "") -> Any:
    """Return what a model says of rows, by the way that its training and its judgement took them."""
    n = len(asked.row)
    rows = heads.Rows(
        head=model.manifest.name, asked=asked, person=record.history.person[asked.row], at_us=asked.at_us,
        known_us=asked.at_us, y=np.zeros(n), place=np.arange(n),
    )  # fmt: skip
    found = features(record.history, asked, record.usual)
    none = np.zeros(n, np.int64) if action else None
    x = model.encoding.matrix(heads.columns(rows, found, actions=(action,), action=none), "rows")
    return model.predict(x, best_times.means(model, x, Moments(record.history, asked, record.usual)))


def test_scores_are_what_the_models_say(desk: Path, export: Path, record: Record) -> None:
    """Every number at every hour of the week, and every person, asked one by one."""
    served = champions(Registry(desk / "trained"))
    zone, history = "Europe/Madrid", record.history
    parts = list(scored(export, served, AS_OF_US, zone, part=450))
    assert len(parts) == 3
    starts = week_of(AS_OF_US, zone)
    assert len({int(one) for one in starts}) == WEEK
    random = np.random.default_rng(1)
    for part in parts:
        numbers, people = part
        assert (np.diff(people.person) > 0).all()
        assert set(numbers.person.tolist()) <= set(people.person.tolist())
        # Cells drawn from all of them.
        at, slot = random.integers(0, len(numbers.person), 400), random.integers(0, WEEK, 400)
        row = history.rows_of(numbers.person[at])
        number = np.array(
            [
                history.numbers.id[history.numbers.first[r] : history.numbers.first[r + 1]].tolist().index(phone)
                for r, phone in zip(row, numbers.phone[at].tolist(), strict=True)
            ]
        )
        as_of = np.full(len(at), AS_OF_US, np.int64)
        # The hour of a slot counts, on whatever day it lies: those before now are of next week.
        then = np.where(starts[slot] < AS_OF_US, starts[slot] + 7 * DAY, starts[slot])
        for head, week in (("reach", numbers.p_answered), ("right_party", numbers.p_right)):
            assert week is not None
            said = told(record, served.models[head], Asked(row, number, as_of, then))
            np.testing.assert_allclose(week[at, slot] / 65_535, said, atol=0.5 / 65_535 + 2e-6)
            assert week.std() > 0.0
        said = told(record, served.models["valid"], Asked(row, number, as_of, as_of))
        np.testing.assert_allclose(numbers.p_valid[at], said, rtol=1e-9)  # type: ignore[index]
        said = told(record, served.models["machine"], Asked(row, number, as_of, as_of))
        np.testing.assert_allclose(numbers.p_machine[at], said, rtol=1e-9)  # type: ignore[index]

        row = history.rows_of(people.person)
        as_of, nowhere = np.full(len(row), AS_OF_US, np.int64), np.full(len(row), -1, np.int64)
        alone = Asked(row, nowhere, as_of, as_of)
        assert (features(history, alone, record.usual).column("debts_open") > 0).all()
        np.testing.assert_allclose(people.p_pay, told(record, served.models["payment"], alone, action="none"))
        np.testing.assert_allclose(people.p_self_cure, told(record, served.models["cure"], alone, action="none"))
        opened = heads.open_promises(history, AS_OF_US, row)
        said = told(record, served.models["kept"], opened)
        assert people.p_kept is not None
        assert people.p_promise is not None
        np.testing.assert_allclose(people.p_kept[np.searchsorted(row, opened.row)], said)
        assert np.isnan(people.p_kept).sum() == len(row) - len(opened.row)
        assert (people.p_promise[~np.isnan(people.p_promise)] > 0.0).all()
        assert served.worth is not None
        x = np.column_stack([features(history, alone, record.usual).column(name) for name in served.worth.features])
        np.testing.assert_allclose(people.uplift["call"], served.worth.effects(x)[:, 0])
        assert (np.sign(people.value_minor["call"]) == np.sign(people.uplift["call"])).all()
        assert {str(one) for one in people.currency} <= set(history.currencies)


def test_who_has_paid_is_not_scored(desk: Path, export: Path, record: Record) -> None:
    history = record.history
    parts = scored(export, champions(Registry(desk / "trained"), ("valid",)), AS_OF_US, "UTC")
    found = np.concatenate([part.people.person for part in parts])
    row = np.arange(len(history.person))
    now = np.full(len(row), AS_OF_US, np.int64)
    owing = features(history, Asked(row, np.full(len(row), -1), now, now), record.usual).column("debts_open") > 0
    assert (~owing).sum() > 0
    assert found.tolist() == history.person[owing].tolist()


def test_a_set_is_written_read_and_seen_only_when_it_is_whole(desk: Path, export: Path) -> None:
    one = cadencia(desk, "models", "score", "--history", str(export))
    served = champions(Registry(desk / "trained"))
    with open_ledger(f"sqlite:///{desk / 'ledger.db'}") as ledger, ledger.reading() as connection:
        found = scores.latest(connection)
        assert found is not None
        assert (found.number, found.people, found.numbers) == tuple(
            one["set"][name] for name in ("number", "people", "numbers")
        )
        assert found.versions == served.versions
        assert found.zone == "Europe/Madrid"
        parts = list(scored(export, served, found.at_us, found.zone))
        wanted = {person.person: person for part in parts for person in rows_of(part)}
        some = sorted(wanted)[::40]
        assert scores.read(connection, found.number, [*some, 10**9]) == {person: wanted[person] for person in some}
        assert len(wanted) == found.people
    person = next(one for one in wanted.values() if len(one.phones) > 1)
    packed = person.phones[1].p_answered
    assert packed is not None
    week = np.frombuffer(packed, "<u2")
    assert len(week) == WEEK
    assert scores.chance(packed, 6, 23) == week[-1] / 65_535
    assert scores.chance(packed, 1, 2) == week[26] / 65_535
    # The third is kept, the first is gone, and what a run left half written goes with it.
    with open_ledger(f"sqlite:///{desk / 'ledger.db'}") as ledger:
        half = scores.write(ledger, rows_of(parts[0]), at_us=0, versions={}, zone="UTC")
        with ledger.writing() as connection:
            connection.execute(score_set.update().where(score_set.c.number == half.number).values(sealed=False))
            assert scores.latest(connection) == found
        for _ in range(2):
            last = scores.write(ledger, rows_of(parts[0]), at_us=AS_OF_US, versions={"valid": "x"}, zone="UTC")
        with ledger.reading() as connection:
            assert scores.latest(connection) == last
            sets = {row.score_set for row in connection.execute(score_person.select())}
            assert sets == {row.number for row in connection.execute(score_set.select())}
            assert len(sets) == 2
            assert {half.number, found.number}.isdisjoint(sets)


def test_a_set_of_nobody_is_none(desk: Path) -> None:
    with open_ledger(f"sqlite:///{desk / 'ledger.db'}") as ledger:
        with ledger.reading() as connection:
            before = scores.latest(connection)
        with pytest.raises(BadInput, match="nobody who owes anything"):
            scores.write(ledger, iter(()), at_us=AS_OF_US, versions={}, zone="UTC")
        with ledger.reading() as connection:
            assert scores.latest(connection) == before


@pytest.mark.parametrize("head", heads.HEADS)
def test_a_debtor_is_explained_as_of_an_instant(desk: Path, export: Path, record: Record, head: str) -> None:
    persons = record.history.person[
        heads.open_promises(record.history, AS_OF_US, np.arange(len(record.history.person))).row
    ]
    words = ("models", "explain", "--head", head, "--history", str(export), "--at", iso(AS_OF_US))
    told_of = cadencia(desk, *words, "--who", str(persons[0]))
    assert told_of["version"].startswith(f"{head}/")
    assert {one["group"] for one in told_of["rows"]} == {str(persons[0])}
    assert all(1 <= len(one["reasons"]) <= 4 and 0.0 < one["p"] < 1.0 for one in told_of["rows"])
    assert all((one["phone"] is None) == (head in ("payment", "cure", "kept")) for one in told_of["rows"])


def test_later_rows_of_the_ledger_judge_a_version(export: Path, tmp_path: Path) -> None:
    CliRunner().invoke(app, ["init", str(tmp_path / "f")], catch_exceptions=False)
    early = iso(START_US + 32 * DAY)[:10]
    history = ("--history", str(export))
    made = cadencia(tmp_path / "f", "models", "fit", "--head", "promise", "--until", early, *history, "--workers", "1")
    (one,) = made["made"]
    assert one["manifest"]["data"]["cut_off"] <= f"{early} 22:00:00"  # midnight in Madrid
    words = ("--head", "promise", "-v", "candidate", *history)
    later = cadencia(tmp_path / "f", "models", "evaluate", *words)
    assert later["span"][0] > early
    rows = lessons.lesson(read_record(export), "promise").source.num_rows
    assert later["rows"] == rows - one["manifest"]["data"]["rows"]
    drifted = CliRunner().invoke(app, ["models", "drift", *words, "-C", str(tmp_path / "f"), "--json"])
    assert json.loads(drifted.stdout)["rows"] == later["rows"]
    with pytest.raises(BadInput, match="nothing that happened since"):
        cadencia(tmp_path / "f", "models", "drift", *words, "--until", early)


def test_what_an_export_lacks_is_left_out_in_words(export: Path, tmp_path: Path) -> None:
    lot = tmp_path / "export"
    shutil.copytree(export, lot)
    (lot / "decisions.parquet").unlink()
    folder = tmp_path / "folder"
    CliRunner().invoke(app, ["init", str(folder)], catch_exceptions=False)
    made = cadencia(folder, "models", "fit", "--head", "payment", "--history", str(lot), status=1)
    assert made["made"] == []
    assert made["left_out"]["payment"].startswith("payment: nobody was left alone by lot")
    given = pq.read_table(export / "decisions.parquet")

    def decided(chances: list[tuple[str, float]], action: str) -> None:
        n, field = len(given), given.schema.field("p_action")
        found = given.set_column(4, field, pa.array([chances] * n, field.type))
        pq.write_table(found.set_column(3, "action", pa.array([action] * n)), lot / "decisions.parquet")

    decided([("call", 1.0)], "call")
    made = cadencia(folder, "models", "fit", "--head", "payment", "--history", str(lot), status=1)
    assert "no decision on record was to leave somebody alone" in made["left_out"]["payment"]
    decided([("call", 1.0), ("none", 0.0)], "call")
    made = cadencia(folder, "models", "fit", "--head", "payment", "--history", str(lot), status=1)
    assert "every decision on record was certain" in made["left_out"]["payment"]
    decided([("call", 0.7), ("none", 0.7)], "call")
    with pytest.raises(BadInput, match="all of them 1 together"):
        cadencia(folder, "models", "fit", "--head", "payment", "--history", str(lot))


def test_who_is_spared_for_a_day_is_not_left_alone(export: Path, tmp_path: Path) -> None:
    lot = tmp_path / "export"
    shutil.copytree(export, lot)
    given = pq.read_table(export / "decisions.parquet")
    alone = np.array(given.column("action").to_pylist(), object) == "none"
    p = pa.array([[("call", 0.9), ("none", 0.1)]] * len(given), given.schema.field("p_action").type)
    given = given.set_column(4, given.schema.field("p_action"), p)
    pq.write_table(given, lot / "decisions.parquet")
    with pytest.raises(BadInput, match="cure: nobody was left alone for longer than a day"):
        lessons.lesson(read_record(lot), "cure")
    assert lessons.lesson(read_record(lot), "payment").source.num_rows
    held = alone & (np.array(given.column("person")) % 2 == 0)
    arm = given.schema.get_field_index("arm")
    words = pa.array(np.where(held, "holdout", "champion"))
    pq.write_table(given.set_column(arm, "arm", words), lot / "decisions.parquet")
    rows = lessons.lesson(read_record(lot), "cure").source.to_pylist()
    assert {one["person"] % 2 for one in rows if one["action"] == "none"} == {0}
    assert {one["person"] % 2 for one in rows if one["action"] == "call"} == {0, 1}
    both = lessons.lesson(read_record(export), "cure").source
    assert len(rows) == both.num_rows - sum(
        one["action"] == "none" and one["person"] % 2 for one in both.select(["action", "person"]).to_pylist()
    )


def test_a_history_may_lie_at_any_address_that_fsspec_opens(export: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    where = fsspec.filesystem("memory")
    for path in export.iterdir():
        where.pipe(f"/past/{path.name}", path.read_bytes())
    found, here = read_record("memory://past"), read_record(export)
    assert found.history.lines.known_us.tolist() == here.history.lines.known_us.tolist()
    assert found.decisions is not None
    assert here.decisions is not None
    assert found.decisions.person.tolist() == here.decisions.person.tolist()


@pytest.fixture(scope="module")
def young(tmp_path_factory: pytest.TempPathFactory, desk: Path) -> Path:
    """A ledger with a few days of its own, and the other folder's models."""
    folder = tmp_path_factory.mktemp("young") / "folder"
    CliRunner().invoke(app, ["init", str(folder)], catch_exceptions=False)
    past = cadencia(folder, "simulate", "history", "--debtors", "60", "--days", "3", "--agents", "2")
    assert past["attempts"] > 50
    shutil.copytree(desk / "trained", folder / "trained")
    return folder


def test_accounts_name_the_people_of_a_file(young: Path, tmp_path: Path) -> None:
    with open_ledger(f"sqlite:///{young / 'ledger.db'}") as ledger, ledger.reading() as connection:
        owed = connection.execute(debt.select().order_by(debt.c.person)).all()
    file = tmp_path / "people.csv"
    file.write_text("account,sex\n" + "".join(f"{one.account},{'mf'[one.person % 2]}\n" for one in owed) + "none,f\n")
    with record_of(young, "", "", lambda *_: None, file) as found:
        sex = dict(zip(found.history.person.tolist(), found.protected["sex"].tolist(), strict=True))
    assert sex == {one.person: "mf"[one.person % 2] for one in owed}
    file.write_text("account,sex\nnone,f\n")
    with pytest.raises(BadInput, match="none of its accounts is on record"), record_of(young, "", "", print, file):
        pass


def test_a_ledger_s_own_people_are_scored(young: Path) -> None:
    made = cadencia(young, "models", "score")
    assert 40 < made["set"]["people"] <= 60
    with open_ledger(f"sqlite:///{young / 'ledger.db'}") as ledger, ledger.reading() as connection:
        found = scores.read(connection, made["set"]["number"], range(1, 61))
    assert len(found) == made["set"]["people"]
    assert all(None not in (one.p_pay, one.p_self_cure, one.value_minor) for one in found.values())
    told_of = cadencia(young, "models", "explain", "--head", "reach", "--who", str(next(iter(found))))
    assert told_of["rows"]


def test_a_past_is_made_once_and_is_too_short_to_learn_from(young: Path) -> None:
    with pytest.raises(BadInput, match="holds debtors already"):
        cadencia(young, "simulate", "history")
    made = cadencia(young, "models", "fit", "--head", "kept", status=1)
    assert made["left_out"]["kept"].startswith(
        ("kept: no promise with a day has fallen due", "head kept: of", "kept: ")
    )


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("fit", "--head", "luck"), "there is no head 'luck'"),
        (("fit", "--until", "soon"), "--until must be a day"),
        (("fit", "rows.csv", "--head", "reach"), "are of the ledger"),
        (("fit", "rows.csv", "--protected", "people.csv"), "are of the ledger"),
        (("fit", "--schema", "rows.toml"), "name the TABLE too"),
        (("fit", "--days", "0"), "--days must be 1 or more"),
        (("fit",), "nobody owes anything in its ledger yet"),
        (("score",), "nobody owes anything in its ledger yet"),
        (("score", "--history", "."), "no head of the ledger has a champion yet"),
        (("score", "--model", "reach"), "scored by all champions"),
        (("promote", "reach", "--all"), "--all is of all candidates"),
        (("promote", "--all"), "has no model"),
        (("evaluate", "rows.csv", "--head", "reach", "--until", "2026-01-01"), "there is no model 'reach'"),
    ],
)
def test_a_slip_is_told(tmp_path: Path, words: tuple[str, ...], complaint: str) -> None:
    CliRunner().invoke(app, ["init", str(tmp_path)], catch_exceptions=False)
    with pytest.raises(BadInput) as caught:
        cadencia(tmp_path, "models", *words)
    assert complaint in str(caught.value)


def test_a_model_of_a_table_is_not_asked_about_the_ledger(desk: Path, tmp_path: Path) -> None:
    CliRunner().invoke(app, ["init", str(tmp_path)], catch_exceptions=False)
    shutil.copytree(desk / "trained" / "valid", tmp_path / "trained" / "bank")
    stages = tmp_path / "trained" / "bank"
    for path in stages.glob("*/manifest.json"):
        path.write_text(path.read_text().replace('"name": "valid"', '"name": "bank"'))
    with pytest.raises(BadInput, match=r"model bank was made of a table: name the TABLE"):
        cadencia(tmp_path, "models", "drift", "--model", "bank")

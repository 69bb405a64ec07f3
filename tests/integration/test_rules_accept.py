"""`cadencia rules accept` beside a rehearsal that runs: the floor goes by the accepted packs from then on."""

import asyncio
import json
import shutil
from pathlib import Path

from typer.testing import CliRunner

from compliance.packs import SHIPPED
from console import accepted, demo, floor, rehearsals
from console.main import app
from domain.events import FloorOpened, RulesChanged
from domain.orders import Originate, Reserve
from domain.records import Row
from ledger.store import open_ledger
from tests.integration.waiting import eventually


def cadencia(*words: str) -> str:
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == 0, (done.output, done.exception)
    return done.stdout


def test_a_rehearsal_goes_on_under_packs_accepted_in_the_middle_of_it(tmp_path: Path) -> None:
    folder = tmp_path / "floor"
    loaded, _ = demo.prepare(folder, debtors=400, agents=5, seed=3, report=lambda *_: None)
    rules = folder / "rules"
    wiring = floor.rehearsal(
        loaded, ["es", "us"], start_us=floor.START_US, speed=20.0, robots=rehearsals.robots(loaded, 5), seed=3
    )
    first = accepted.history(rules)[-1].version
    told: dict[str, object] = {}

    async def scene() -> None:
        run = asyncio.create_task(wiring.run())
        await eventually(lambda: sum(row.attempts for row in wiring.floor.board().campaigns) > 20)
        pack = rules / "es.toml"
        pack.write_text(pack.read_text().replace('"21:00"', '"15:00"'))
        answer = await asyncio.to_thread(cadencia, *_ACCEPT, "--folder", str(folder))
        told.update(json.loads(answer.splitlines()[-1]))  # the floor logs beside it
        dialled = {row.campaign: row.attempts for row in wiring.floor.board().campaigns}
        later = wiring.clock.now_us() + 120_000_000
        await eventually(lambda: wiring.clock.now_us() > later)
        after = {row.campaign: row.attempts for row in wiring.floor.board().campaigns}
        assert after["es"] == dialled["es"]
        assert after["us"] > dialled["us"]
        wiring.floor.end(0.0)
        await run

    asyncio.run(asyncio.wait_for(scene(), 120))
    second = accepted.history(rules)[-1].version
    assert told["engine"] == {"rules": second, "durable": True, "to_review": told["engine"]["to_review"]}  # type: ignore[index]
    ledger = open_ledger(loaded.ledger_url)
    rows = list(ledger.read(loaded.floor.stream))
    ledger.close()
    assert _segments(rows) == [first, second]
    found = json.loads(cadencia("replay", "--folder", str(folder), "--json"))
    assert (found["divergences"], found["rules"], found["rules_missing"]) == ([], [first, second], [])
    # Where a version is gone, the audit says so and claims nothing of what was decided under it.
    (rules / "accepted" / second).rename(tmp_path / "gone")
    shutil.copyfile(SHIPPED / "es.toml", rules / "es.toml")
    done = CliRunner().invoke(app, ["replay", "--folder", str(folder), "--json"])
    found = json.loads(done.stdout)
    assert (done.exit_code, found["rules_missing"], found["divergences"]) == (1, [second], [])
    done = CliRunner().invoke(app, ["replay", "--folder", str(folder), "--follow"])
    assert done.exit_code == 1
    assert f"rule packs {second} are not to be had" in done.stdout


_ACCEPT = ("rules", "accept", "--yes", "--json", "--by", "Ada")


def _segments(rows: list[Row]) -> list[str]:
    """Return the rules of each stretch; what left in it was judged by them."""
    found: list[str] = []
    judged: dict[str, str] = {}
    for row in rows:
        record = row.record
        if isinstance(record, FloorOpened | RulesChanged):
            found.append(record.rules)
        elif isinstance(record, Reserve):
            judged[record.call_id] = record.verdict.rules
        elif isinstance(record, Originate):
            assert judged[record.call_id] == found[-1]
    return found

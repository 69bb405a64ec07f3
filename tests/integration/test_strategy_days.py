"""Two days of a floor whose campaign has a champion, a challenger and a holdout, on a real ledger."""

from pathlib import Path

from msgspec.structs import replace
from sqlalchemy import select

from compliance.gate import Gate
from dialer.engine.replay import replay
from domain.instants import DAY, HOUR
from domain.settings import FloorSettings
from ledger.schema import attempt, decision
from ledger.store import open_ledger
from strategy.checking import read
from strategy.documents import Arm, Strategy, Trial, attached
from tests.integration.days import MORNING_US, campaign, enrolled, work_a_day
from tests.integration.simulated import RULES

EXAMPLES = Path("config/strategies")


def test_arms_share_the_floor_and_the_record_is_decided_again(tmp_path: Path) -> None:
    champion, challenger = (read(EXAMPLES / f"{name}.toml").document for name in ("gentle", "balance"))
    trial = Trial(
        holdout=0.2,
        arms=(Arm(name="champion", share=0.5), Arm(name="plain", share=0.5, strategy="balance")),
    )
    strategy = Strategy(document=replace(champion, trial=trial), challengers={"plain": challenger})
    floor = FloorSettings(campaigns=(attached(campaign(), strategy),), max_lines=100)
    with open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        enrolled(ledger, 300)
        for day in range(2):
            work_a_day(ledger, settings=floor, start_us=MORNING_US + day * DAY, hours=0.4)
        with ledger.reading() as connection:
            made = connection.execute(select(decision)).all()
            tried = connection.execute(select(attempt).where(attempt.c.originated_us.is_not(None))).all()
        # Decided again from the inputs alone, the chunks of the lists read back under their hashes.
        gate = Gate.load(RULES)
        rows = list(ledger.read(floor.stream))
        found = replay(rows, {gate.version: gate}.get)
        assert (found.divergences, found.rows) == ([], len(rows))
        (verified,) = ledger.verify(floor.stream)
        assert verified.rows == len(rows)
    arms = {row.person: row.arm for row in made}
    assert {arm: list(arms.values()).count(arm) > 40 for arm in ("champion", "plain", "holdout")} == {
        "champion": True,
        "plain": True,
        "holdout": True,
    }
    assert {row.person for row in tried} & {one for one, arm in arms.items() if arm == "holdout"} == set()
    assert all((row.arm, row.p_arm) == (arms[row.person], 0.4) for row in tried)
    # Agents are shared: both arms are dialled from the first minutes on.
    first = sorted(tried, key=lambda row: row.originated_us)[:40]
    assert min(sum(row.arm == arm for row in first) for arm in ("champion", "plain")) >= 10
    # One call a day in the champion's arm, whatever the outcome; the other has no such limit.
    per_day = [(row.person, (row.originated_us - MORNING_US + HOUR) // DAY) for row in tried if row.arm == "champion"]
    assert len(per_day) == len(set(per_day)) > 40
    lists = sorted({row.plan for row in made})
    assert len(lists) == 2
    called_first = {row.person for row in made if row.plan == lists[0] and row.action == "call"}
    assert {row.person for row in tried if row.originated_us < MORNING_US + DAY} <= called_first

"""Whatever moment the process dies at, a batch is on record whole, or not at all."""

import random
import subprocess
import sys
import time
from pathlib import Path

from sqlalchemy import func, select

from domain.facts import AttemptClosed
from domain.orders import Reserve
from ledger.schema import attempt, cap_key, history, outcome
from ledger.store import open_ledger
from tests.integration.ledger.scribe import person, settle

#: Appends one batch a person, from a given one on, and says each time what is durable.
WRITER = """
import sys
sys.path[:0] = {path!r}
from tests.integration.ledger.scribe import Scribe, person
from domain.calls import Disposition
from ledger.store import open_ledger
ledger = open_ledger({url!r}, patience_s=60)
scribe = Scribe()
for number in range(1, {last} + 1):
    one = person(number)
    call_id = scribe.next_id
    batch = scribe.reserve(one)
    for _ in range(number % 4):
        batch += scribe.ringing(call_id)
    batch += scribe.closed(call_id, one, Disposition.no_answer)
    if number >= {first}:
        ledger.append(batch)
        print(scribe.seq, flush=True)
"""
#: Reserve, then 0 to 3 × Ringing, then end, move, closing, lead.
_SIZES = [1 + number % 4 + 4 for number in range(4)]
LAST = 1500


def test_a_batch_is_whole_or_not_there(ledger_url: str) -> None:
    chance = random.Random(7)
    path = [str(Path(__file__).parent), str(Path(__file__).parents[3])]
    with open_ledger(ledger_url) as ledger:
        settle(ledger, [person(number) for number in range(1, LAST + 1)])
    done, kills = 0, 0
    while kills < 3:
        script = WRITER.format(path=path, url=ledger_url, first=done + 1, last=LAST)
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            durable = int(writer.stdout.readline())
            # Somewhere within the next commits; the exact place is chance, and no result depends on it.
            time.sleep(chance.uniform(0, 0.03))
            writer.kill()
            told = [line for line in writer.stdout if line.endswith("\n")]
        durable = int(told[-1]) if told else durable
        kills += 1
        with open_ledger(ledger_url) as ledger:
            (found,) = ledger.verify("floor")
            assert found.broken == ""
            assert found.rows >= durable
            records = [row.record for row in ledger.read("floor")]
            done = sum(type(record) is Reserve for record in records)
            assert found.rows == sum(_SIZES[number % 4] for number in range(1, done + 1))
            assert sum(type(record) is AttemptClosed for record in records) == done
            with ledger.reading() as connection:
                counts = [
                    connection.execute(select(func.count()).select_from(table)).scalar_one()
                    for table in (attempt, outcome, history)
                ]
                bumps = connection.execute(select(func.sum(cap_key.c.version))).scalar_one()
            assert counts == [done, done, 2 * done]
            assert bumps == 4 * done
    assert done < LAST

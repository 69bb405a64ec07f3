"""An audit decides a stream again; a changed byte or a changed gate is found where it stands."""

from msgspec.structs import replace

from dialer.engine.replay import replay
from domain import events
from domain.calls import Cause
from domain.orders import Originate
from domain.people import Verdict
from tests.unit.engine.floor import Floor, OpenGate


def recorded():
    floor = Floor(people=5)
    floor.agent("1001", "1002")
    for _ in range(4):
        for call in floor.dial():
            floor.after(3)
            floor.hear(events.Ended, call_id=call.call_id, cause=Cause.busy)
    return floor.rows


def test_the_record_decides_again_to_the_same_bytes():
    rows = recorded()
    found = replay(rows, {"open": OpenGate()}.get)
    assert (found.divergences, found.rows) == ([], len(rows))


def test_a_changed_order_is_named():
    rows = recorded()
    index = next(i for i, row in enumerate(rows) if type(row.record) is Originate)
    rows[index] = replace(rows[index], record=replace(rows[index].record, trunk="other"))
    (difference,) = replay(rows, {"open": OpenGate()}.get).divergences
    assert difference.seq == rows[index].seq
    assert '"trunk":"other"' in difference.recorded
    assert '"trunk":"other"' not in difference.decided


def test_following_the_record_goes_on_after_a_divergence():
    rows = recorded()
    strict = OpenGate()
    strict.verdicts[1] = Verdict(allowed=False, rule="test.no")
    found = replay(rows, {"open": strict}.get, follow=True)
    assert found.rows == len(rows)
    assert len(found.divergences) >= 1

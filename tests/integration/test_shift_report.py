"""The report of a shift: what was in force, one floor alone, open calls explained, both languages whole."""

import re
from html import unescape

import msgspec
import pytest
from rich.console import Console

from console import shift_text
from console.shift import Shift, read_shift, window_of
from console.shift_page import page
from console.shift_words import METRICS
from domain.calls import AgentState, AnswerClass, Disposition, Mode, Phase
from domain.errors import BadInput
from domain.events import Disposed, FloorOpened, LimitSet, ModeSet, Reserved, Tick
from domain.facts import AgentShifted, AttemptClosed, CallClassed, CallMoved
from domain.instants import HOUR, MINUTE, SECOND, parse
from domain.people import rung
from domain.settings import FloorSettings
from ledger.attendance import agent_spans
from ledger.metrics import count, figures
from ledger.store import SqlLedger
from tests.integration.ledger.scribe import SETTINGS, Scribe, person, settle

START_US = parse("2026-11-18T09:00:00Z")
FLOOR = msgspec.structs.replace(SETTINGS, zone="UTC")
PEOPLE = [person(number) for number in range(1, 9)]


def call(
    ledger: SqlLedger,
    scribe: Scribe,
    one: int,
    disposition: Disposition | None,
    answer_class: AnswerClass | None,
    said: Disposed | None = None,
) -> str:
    """Run a call; without a disposition it ends in wrap-up and stays open."""
    (dossier,) = ledger.dossiers([one])
    (answer,) = ledger.append(scribe.reserve(dossier))
    assert isinstance(answer, Reserved)
    call_id = answer.call_id
    ledger.append(scribe.dialled(answer, dossier))
    if answer_class is AnswerClass.connected:
        ledger.append(scribe.talked(call_id))
    elif answer_class is not None:
        ledger.append(scribe.rows(CallMoved(call_id=call_id, phase=Phase.waiting)))
        ledger.append(scribe.rows(CallClassed(call_id=call_id, answer_class=answer_class, why="no_agent")))
    if disposition is None:
        ledger.append(scribe.rows(CallMoved(call_id=call_id, phase=Phase.wrapping)))
        return call_id
    if said is not None:
        said = msgspec.structs.replace(said, at_us=scribe.at_us + SECOND, call_id=call_id)
        ledger.append(scribe.rows(said))
    ledger.append(
        scribe.rows(
            AttemptClosed(
                call_id=call_id,
                campaign="spring",
                person=one,
                phone=one * 10,
                disposition=disposition,
                event=rung(disposition),
                wrap_us=0,
            )
        )
    )
    return call_id


def opened(ledger: SqlLedger, scribe: Scribe, settings: FloorSettings = FLOOR) -> None:
    ledger.append(
        scribe.rows(FloorOpened(at_us=scribe.at_us, settings=settings, rules="r1", versions={}), campaign=None)
    )


def worked(ledger: SqlLedger) -> str:
    """Run a shift of an hour that is killed in mid-call; return the call that stays open."""
    settle(ledger, PEOPLE)
    scribe = Scribe(at_us=START_US - SECOND)
    opened(ledger, scribe)
    ledger.append(scribe.rows(AgentShifted(agent="ana", state=AgentState.ready), campaign=None))
    call(ledger, scribe, 1, Disposition.machine, AnswerClass.connected)
    call(ledger, scribe, 2, Disposition.no_promise, AnswerClass.connected)
    call(ledger, scribe, 3, Disposition.abandoned, AnswerClass.abandoned)
    scribe.at_us = START_US + 20 * MINUTE - SECOND
    ledger.append(scribe.rows(LimitSet(at_us=scribe.at_us + SECOND, campaign="spring", abandon_limit=0.015)))
    scribe.at_us = START_US + 30 * MINUTE - SECOND
    ledger.append(scribe.rows(ModeSet(at_us=scribe.at_us + SECOND, campaign="spring", mode=Mode.predictive)))
    said = Disposed(
        at_us=0, agent="ana", call_id="", disposition=Disposition.call_back, call_back_us=START_US + 3 * HOUR
    )
    call(ledger, scribe, 4, Disposition.call_back, AnswerClass.connected, said)
    left = call(ledger, scribe, 5, None, AnswerClass.connected)
    scribe.at_us = START_US + HOUR - SECOND
    ledger.append(scribe.rows(Tick(at_us=START_US + HOUR), campaign=None))
    return left


def read(ledger: SqlLedger, floor: FloorSettings = FLOOR) -> Shift:
    with ledger.reading() as connection:
        return read_shift(connection, floor)


def terminal(shift: Shift, *, close: bool = False) -> str:
    console = Console(width=200, color_system=None)
    with console.capture() as capture:
        console.print(shift_text.closing(shift) if close else shift_text.overview(shift))
    return capture.get()


def cells(html: str) -> list[str]:
    return [unescape(text) for text in re.findall(r"<(?:td|th|li|h2|p|span|b)[^>]*>([^<]*)<", html)]


def test_the_report_counts_as_metrics_do(ledger: SqlLedger) -> None:
    worked(ledger)
    shift = read(ledger)
    with ledger.reading() as connection:
        from_us, to_us = window_of(connection, "floor", "UTC", None)
        assert shift.figures == figures(count(connection, from_us, to_us, zone="UTC", stream="floor")["all"])
        spans = list(agent_spans(connection, "floor", from_us, to_us, "UTC"))
    # From the opening of the floor to its last sign of life, not from midnight and not until the next.
    assert (shift.from_us, shift.to_us) == (START_US, START_US + HOUR)
    (ana,) = shift.agents
    assert ana.logged_in_s == pytest.approx(3599)
    assert sum(span.to_us - span.from_us for span in spans) / 1e6 == pytest.approx(3599)
    # Thirty intervals of two minutes with one agent in each.
    assert sum(one.talking + one.wrapup + one.ready for one in shift.slices) == pytest.approx(30, abs=0.1)


def test_the_plot_ends_where_the_table_stands(ledger: SqlLedger) -> None:
    worked(ledger)
    shift = read(ledger)
    rate = next(one for one in shift.figures if one.name == "abandon_us")
    # Three people met an agent (one is still open), one was abandoned; the machine that Ana heard is nobody.
    assert (rate.numerator, rate.denominator) == (1, 4)
    assert shift.slices[-1].abandon_rate_so_far == rate.value
    assert (sum(one.people for one in shift.slices), sum(one.machine for one in shift.slices)) == (3, 1)
    assert (shift.connected, shift.heard_machines) == (4, 1)
    assert {one.abandon_limit for one in shift.slices if one.at_local < "09:20"} == {0.03}
    assert {one.abandon_limit for one in shift.slices if one.at_local >= "09:20"} == {0.015}


def test_what_ran_and_not_what_the_settings_say(ledger: SqlLedger) -> None:
    worked(ledger)
    # The files say something else by now.
    (line,) = read(ledger, msgspec.structs.replace(FLOOR, campaigns=())).campaigns
    assert (line.mode, line.abandon_limit) == ("predictive", 0.015)
    changes = [(one.at_local, one.what, one.before, one.after, one.by_hand) for one in line.changes]
    assert changes == [
        ("09:20:00", "abandon_limit", "3.00%", "1.50%", True),
        ("09:30:00", "mode", "progressive", "predictive", True),
    ]
    text = terminal(read(ledger))
    assert "09:30:00  spring: mode progressive → predictive (set by hand)" in text


def test_open_calls_are_explained(ledger: SqlLedger) -> None:
    left = worked(ledger)
    shift = read(ledger)
    assert [(one.call_id, one.phase, one.agent) for one in shift.open_calls] == [(left, "wrapping", "ana")]
    assert "1 attempt without a disposition: under way when the run ended" in terminal(shift)
    assert f"{left} (creditor 1 500, spring, ana): wrap-up under way" in terminal(shift, close=True)
    ledger.take_lease("floor", "somebody", 60.0)
    assert "1 attempts without" not in terminal(read(ledger))
    assert "without a disposition: under way now" in terminal(read(ledger))


def test_a_floor_reports_its_own(ledger: SqlLedger) -> None:
    worked(ledger)
    scribe = Scribe("south", at_us=START_US + 5 * HOUR)
    south = msgspec.structs.replace(FLOOR, stream="south")
    opened(ledger, scribe, south)
    call(ledger, scribe, 6, Disposition.no_answer, None)
    assert (read(ledger).attempts, read(ledger, south).attempts) == (5, 1)
    assert (len(read(ledger).call_backs), len(read(ledger, south).call_backs)) == (1, 0)
    assert read(ledger, south).agents == []
    with pytest.raises(BadInput, match="no attempt is on record"):
        read(ledger, msgspec.structs.replace(FLOOR, stream="west"))


def test_the_page_speaks_one_language(ledger: SqlLedger) -> None:
    worked(ledger)
    shift = read(ledger)
    english, spanish = (cells(page(shift, lang)) for lang in ("en", "es"))
    named = {figure.name for figure in shift.figures}
    for name in named:
        assert METRICS[name].formula_en in english
        assert METRICS[name].formula_es in spanish
        assert METRICS[name].formula_en not in spanish
    for text, translated in (
        ("predictive", "predictivo"),
        ("call-back", "rellamada"),
        ("09:20:00  spring: abandonment limit 3.00% → 1.50% (set by hand)", None),
        ("09:30:00  spring: mode progressive → predictive (set by hand)", None),
    ):
        assert text in english
        assert text not in spanish
        assert translated is None or translated in spanish
    assert "09:30:00  spring: modo progresivo → predictivo (puesto a mano)" in spanish
    assert any("en curso cuando terminó la ejecución" in text for text in spanish)
    assert any("cierre en curso" in text for text in spanish)
    # What was divided by what stands there unrounded: two in 0.99 hours, not two in one.
    rpc = next(one for one in shift.figures if one.name == "rpc_per_agent_hour")
    assert shift_text.base_text(rpc) in english
    assert shift_text.base_text(msgspec.structs.replace(rpc, numerator=4, denominator=0.31)) == "4 / 0.31"

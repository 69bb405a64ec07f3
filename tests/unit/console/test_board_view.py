"""The live board: fits every size, says what an operator must see, and never loses the alarm."""

import io
import json

import msgspec
import pytest
from rich.console import Console

from console.board_view import view
from console.live_board import LiveBoard
from dialer.board import AgentRow, Board, CampaignRow
from domain.instants import MINUTE, SECOND, parse

AT_US = parse("2026-11-18T16:42:10Z")
STATES = ["talking"] * 11 + ["wrapup"] * 4 + ["ready"] * 3 + ["reserved", "paused"]


def campaign(name: str, **changes: object) -> CampaignRow:
    row = CampaignRow(
        campaign=name,
        mode="predictive",
        state="running",
        ratio=1.5,
        abandon_limit=0.03,
        attempts=1234,
        calls_per_hour=1240.3,
        connected=330,
        abandoned=4,
        machine=200,
        cut=0,
        lost=1,
        abandon_rate=4 / 290,
        answer_rate=0.34,
        wait_ms=310.0,
        wait_p95_ms=950.0,
        agent_wait_s=12.3,
        originating=1,
        ringing=12,
        detecting=0,
        waiting=1,
        talking=9,
        pacing_reason="enough_ringing",
        pacing_dials=3,
        free=1,
        busy=14,
        finishing=1,
        risk=0.031,
        tolerated=0.028,
        p_answer=0.27,
        people=290,
        counted_abandoned=4,
        expected_free=2.1,
        expected_answers=1.8,
        budget_left=0.4,
        ready=1204,
        parked=320,
        held=12,
        closed=620,
        next_lead_us=AT_US + 20 * MINUTE,
        promises=41,
        right_party=120,
    )
    return msgspec.structs.replace(row, **changes)


def board(*campaigns: CampaignRow, **changes: object) -> Board:
    agents = tuple(
        AgentRow(
            agent=f"agent{1001 + index}",
            state=state,
            reason="lunch" if state == "paused" else "",
            since_us=AT_US - index * 13 * SECOND,
            campaign=None,
            call_id=None,
            calls_today=index,
        )
        for index, state in enumerate(STATES)
    )
    made = Board(
        at_us=AT_US,
        stream="north",
        zone="Europe/Madrid",
        rehearsed=True,
        seq=10,
        links={"main": True},
        lines=23,
        max_lines=60,
        commit_lag_us=12_000,
        agents=agents,
        campaigns=campaigns,
        alarms=(),
    )
    return msgspec.structs.replace(made, **changes)


def lines(shown: Board, width: int, height: int) -> list[str]:
    console = Console(width=width, height=height, file=io.StringIO(), color_system=None, legacy_windows=False)
    trend = [(10, 1000.0 + step) for step in range(50)]
    with console.capture() as capture:
        console.print(view(shown, width=width, height=height, speed=30, trend=trend, keys=" q stop"))
    return capture.get().splitlines()


@pytest.mark.parametrize("n_campaigns", [0, 1, 2, 3, 8])
@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30), (140, 40), (70, 12), (200, 60)])
def test_the_picture_fits_its_size(width: int, height: int, n_campaigns: int) -> None:
    shown = lines(board(*[campaign(f"c{number}") for number in range(n_campaigns)]), width, height)
    assert len(shown) <= height
    assert max(map(len, shown)) <= width
    assert shown[-1].strip() == "q stop"
    assert shown[-2].strip() == "✓ no alarms"


@pytest.mark.parametrize(("width", "height"), [(80, 24), (140, 40)])
def test_what_an_operator_must_see_is_there(width: int, height: int) -> None:
    shown = "\n".join(lines(board(campaign("es"), campaign("us")), width, height))
    for word in (
        "north",
        "17:42:10 Madrid",
        "rehearsal ×30",
        "23/60",
        "2,481 calls/h",
        "20 agents",
        "11 talking",
        "es · predictive · running",
        "34 % by people",
        "agent in 0.3 s",
        "1.4 % of 3.0 %",
        # Not of the 334 connected and abandoned: agents heard 44 machines.
        "4 of 290 people",
        "enough is ringing",
        "1,204 callable",
        "next 18:02",
    ):
        assert word in shown, word


def test_where_agents_who_wait_to_go_are_going_is_seen() -> None:
    asked = {"agent1016": "lunch", "agent1017": "leave"}
    agents = tuple(msgspec.structs.replace(row, then=asked.get(row.agent, "ready")) for row in board().agents)
    shown = "\n".join(lines(board(campaign("es"), agents=agents), 140, 40))
    assert "→lunch" in shown
    assert "→out" in shown
    assert shown.count("→") == 2


def test_alarms_take_the_place_of_less_urgent_lines() -> None:
    alarms = tuple((f"stock_ends_{number}", "es", AT_US) for number in range(5))
    shown = lines(board(campaign("es"), campaign("co"), campaign("us"), alarms=alarms), 80, 24)
    assert len(shown) <= 24
    assert "stock ends 0 es since 17:42:10" in shown[-4]
    assert "and 3 more" in shown[-2]


def test_a_floor_before_its_first_call_has_no_rates() -> None:
    row = campaign("es", abandon_rate=None, answer_rate=None, wait_ms=None, wait_p95_ms=None, connected=0, abandoned=0)
    shown = "\n".join(lines(board(row, agents=()), 80, 24))
    assert "– of 3.0 %" in shown
    assert "no agent signed in" in shown


def test_without_a_terminal_each_board_is_a_line_of_json() -> None:
    out = io.StringIO()
    with LiveBoard(out=out) as live:
        assert not live.pictures
        live.show(board(campaign("es")))
        live.tell("ending")
        live.show(board(campaign("es"), lines=24))
    said = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line.get("lines", line.get("notice")) for line in said] == [23, "ending", 24]
    assert said[0]["campaigns"][0]["abandon_rate"] == pytest.approx(4 / 290)

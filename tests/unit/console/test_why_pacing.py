"""A pacing decision in words."""

import msgspec

from console.board_view import REASONS as SAID
from console.why_pacing import sentences
from dialer.engine.dialling import OWN_REASONS
from dialer.pacing import REASONS
from domain.facts import PacingDecided
from domain.instants import SECOND

FACT = PacingDecided(
    campaign="spring",
    dials=3,
    reason="predicted",
    free=2,
    expected_free=4.2,
    expected_answers=3.1,
    budget_left=1.4,
    ringing=12,
    waiting=1,
    busy=11,
    finishing=2,
    risk=0.0291,
    tolerated=0.027,
    p_answer=0.243,
)


def test_a_decision_is_told_with_every_figure_behind_it() -> None:
    said = " ".join(sentences(FACT, FACT, 0))
    for words in (
        "3 calls placed: what the agents soon free can take.",
        "2 agents free, 11 agents busy, 2 of them about to finish: 4.2 expected free soon",
        "12 calls ringing, 1 answered without an agent: 3.1 answers expected",
        "with 2.91%; 2.70% is tolerated: 1.4 abandoned calls are left",
        "takes an agent with 24.3%",
    ):
        assert words in said


def test_a_decision_that_stood_for_a_while_says_so() -> None:
    said = sentences(FACT, msgspec.structs.replace(FACT, free=1), 5 * SECOND // 2)
    assert "3 calls placed" in said[0]
    assert "2.5 s before" in said[0]
    assert said[1].startswith("1 agent free")


def test_every_reason_has_its_words() -> None:
    assert set(SAID) == {*REASONS, *OWN_REASONS}

"""Another dialer on a real Asterisk, its agents in a queue, overheard by a user who only listens."""

import asyncio
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

from dialer.asterisk.client import AmiServer
from dialer.asterisk.lab import Lab
from dialer.asterisk.lab_numbers import Behaviour, Outcome, lab_number
from dialer.asterisk.overhear import Overhearing, listen
from dialer.shadow import words
from domain.calls import Cause
from domain.settings import CampaignSettings
from tests.e2e.raw_ami import Message, RawAmi
from tests.integration.waiting import eventually

pytestmark = pytest.mark.lab

AGENTS = ("1001", "1002")
CALLS = {
    "meets-1": Behaviour(outcome=Outcome.answer, ring_s=0.3, talk_s=2.0),
    "meets-2": Behaviour(outcome=Outcome.answer, ring_s=0.3, talk_s=2.0),
    "nobody": Behaviour(outcome=Outcome.answer, ring_s=0.6, talk_s=9.0),
    "busy": Behaviour(outcome=Outcome.busy, ring_s=0.3),
    "unknown": Behaviour(outcome=Outcome.not_in_service),
}


@pytest.fixture(params=[22, 16])
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lab]:
    with Lab(tmp_path / "lab", agents=4, version=request.param) as started:
        yield started


def usable(event: Message, agent: str) -> bool:
    return (
        event["Event"] == "DeviceStateChange" and event["Device"] == f"Agent:{agent}" and event["State"] == "NOT_INUSE"
    )


def test_calls_of_a_dialer_with_a_queue_are_told_by_what_asterisk_says(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lab.state is not None
    monkeypatch.setenv("AMI_SECRET", lab.state.ami_secret)
    server = AmiServer(node="lab", host=lab.state.address, port=lab.state.ami_port, user="observer")
    heard: list[words.AnyWord] = []
    clock = iter(range(1, 1_000_000))
    overhearing = Overhearing([CampaignSettings(name="campaign")], heard.append, lambda: float(next(clock)))

    async def follow(ami: RawAmi) -> None:
        task = asyncio.create_task(listen([server], overhearing))
        try:
            await eventually(lambda: sum(isinstance(word, words.AgentIs) for word in heard) >= len(AGENTS))
            for call, behaviour in CALLS.items():
                # A dialer that gives every answer to the queue.
                ami.originate(call, lab_number("ES", behaviour), GRACE_MS="50", LIMIT_MS="1500")
            await eventually(lambda: {w.call for w in heard if isinstance(w, words.Ended)} == set(CALLS), 30.0)
            await eventually(lambda: all(states(heard, agent)[-1] == "ready" for agent in AGENTS), 30.0)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    with RawAmi(lab.state) as ami:
        for agent in AGENTS:
            ami.log_in(agent)
        for agent in AGENTS:
            ami.wait(functools.partial(usable, agent=agent), f"{agent} usable")
            ami.action(
                "QueueAdd", Queue="campaign", Interface=f"Local/{agent}@cadencia-agentpool/n",
                StateInterface=f"Agent:{agent}", MemberName=agent, Paused="false",
            )  # fmt: skip
        asyncio.run(asyncio.wait_for(follow(ami), 90))

    assert told(heard, "busy") == ["Dialled", "Progressed", Cause.busy]
    assert told(heard, "unknown") == ["Dialled", Cause.not_in_service]
    assert told(heard, "nobody") == ["Dialled", "Progressed", "Answered", "Abandoned", Cause.normal]
    for call in ("meets-1", "meets-2"):
        assert told(heard, call) == ["Dialled", "Progressed", "Answered", "Connected", Cause.normal]
    met = [word.agent for word in heard if isinstance(word, words.Connected)]
    assert sorted(met) == sorted(AGENTS)


def told(heard: list[words.AnyWord], call: str) -> list[str]:
    mine = [word for word in heard if getattr(word, "call", None) == call]
    return [word.cause if isinstance(word, words.Ended) else type(word).__name__ for word in mine]


def states(heard: list[words.AnyWord], agent: str) -> list[str]:
    return [word.state for word in heard if isinstance(word, words.AgentIs) and word.agent == agent]

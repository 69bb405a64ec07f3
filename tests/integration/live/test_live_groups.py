"""Agents' groups on a running floor: from the record, however the shift begins."""

from contextlib import closing
from pathlib import Path

from compliance.gate import Gate
from dialer.engine.replay import replay
from dialer.live import Hooks
from domain.events import MadeReady, PhoneUp, SignedIn
from domain.facts import AgentShifted
from ledger.store import open_ledger
from tests.integration.live.scene import RULES, connected, exchange, fill, floor, records, running, until
from tests.integration.live.telephone import NODE, Line


async def test_groups_on_record_are_told_to_the_engine_however_a_shift_begins(tmp_path: Path) -> None:
    on_record = {"early": ("seniors",), "desk": ("plans", "seniors"), "phone": ("plans",), "plain": ()}
    with closing(open_ledger(f"sqlite:///{tmp_path}/ledger.db")) as ledger:
        fill(ledger, 5)
        async with exchange(tmp_path) as (network, path):
            network._phones["early"] = None  # off-hook before the floor runs
            one = floor(ledger, Line(path), tmp_path, run=(), hooks=Hooks(roster=lambda: on_record))
            async with running(one), connected(tmp_path) as client:
                agents = one._engine.state.agents
                await until(lambda: "early" in agents)
                on_record["desk"] = ("plans",)  # what stands there at the sign-in counts
                await client.ask("sign_in", agent="desk", groups=["whatever"])
                for name in ("phone", "plain"):
                    network._tell(PhoneUp(at_us=0, agent=name, node=NODE))
                await until(lambda: "plain" in agents)
                await client.ask("ready", agent="phone")
                assert {name: agent.groups for name, agent in agents.items()} == on_record
                assert {agents[name].state for name in ("early", "plain", "desk")} == {"paused"}
                assert agents["phone"].state == "ready"
                # A phone that comes back during the shift begins none.
                for name in ("phone", "last"):
                    network._tell(PhoneUp(at_us=0, agent=name, node=NODE))
                await until(lambda: "last" in agents)
        signed = {record.agent: record for record in records(ledger, SignedIn)}
        assert {name: (record.call_me, record.groups) for name, record in signed.items()} == {
            "early": (False, ("seniors",)),
            "desk": (True, ("plans",)),
            "phone": (False, ("plans",)),
        }
        assert len(records(ledger, SignedIn)) == 3
        assert [record.agent for record in records(ledger, MadeReady)] == ["phone"]
        states = [record.state for record in records(ledger, AgentShifted) if record.agent == "phone"]
        assert states == ["away", "paused", "ready"]
        gate = Gate.load(RULES)
        assert replay(list(ledger.read("floor")), {gate.version: gate}.get).divergences == []

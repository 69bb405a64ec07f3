"""Outcomes written by hand: what a month came to, without simulating one."""

from domain.calls import AgentState
from domain.settings import CampaignSettings, FloorSettings
from simulation.experiment import Experiment, Ran
from simulation.month import Arm, Plan
from simulation.outcome import FLOW, Accounts, Contacts, Flow, Money, Outcome, Promised, Work
from simulation.roster import roster
from simulation.store import digest, encode


def counts(**told: int) -> tuple[int, ...]:
    return tuple(told.get(name, 0) for name in FLOW)


def month(arm: str, seed: int, *, paid_minor: int = 500_000, currency: str = "EUR", breaches: int = 0) -> Outcome:
    """Return two days of ten agents: 100 attempts an hour, 20 people, 1 of them abandoned, 10 debtors, 4 promises."""
    flow = counts(
        attempts=100, answered=30, people=20, abandoned=1, machines=10, contacts=19, right_party=10, promises=4,
        ring_ms=2_000_000, wait_ms=20_000, talk_ms=3_600_000, wrap_ms=400_000, connected=20,
    )  # fmt: skip
    hours = [(day, hour) for day in (0, 1) for hour in (9, 10)]
    return Outcome(
        arm=arm,
        seed=seed,
        days=("2027-02-01", "2027-02-02"),
        segments=("ES 1-30", "ES 181+"),
        campaigns=("sample",),
        flows=tuple(Flow(day, hour, segment, 0, flow) for day, hour in hours for segment in (0, 1)),
        work=tuple(
            Work(day, hour, state, share)
            for day, hour in hours
            for state, share in (
                (AgentState.talking, 7_200_000), (AgentState.wrapup, 1_800_000), (AgentState.ready, 18_000_000),
                (AgentState.paused, 9_000_000), (AgentState.offline, 1_000_000),
            )
        ),
        money=(Money(0, 0, currency, 10, paid_minor, paid_minor // 2), Money(1, 1, currency, 5, 100_000, 0)),
        promised=(Promised(0, 0, currency, 8, 80_000, 4, 40_000, 3, 30_000),),
        accounts=(
            Accounts(0, currency, 0, 40, 0, 0, 1, 4_000_000, 20_000),
            Accounts(0, currency, 3, 60, 30, 20, 5, 6_000_000, paid_minor, 45, 8, 3, 10),
            Accounts(1, currency, 12, 100, 10, 5, 0, 9_000_000, 100_000, 30, 2, 1, 5),
        ),
        contacts=(Contacts(0, 0, 70), Contacts(0, 2, 30), Contacts(1, 0, 90), Contacts(1, 7, 10)),
        stops={"cease_written": 2},
        complaints=1,
        list_ended={"sample": "2027-02-02T10:30:00Z"} if seed % 2 else {},
        breaches=tuple(f"call {n}: person {n} owed nothing" for n in range(breaches)),
        rows=1000,
    )  # fmt: skip


def experiment(*names: str, **more: object) -> Experiment:
    floor = FloorSettings(campaigns=(CampaignSettings(name="sample"),))
    plan = Plan(world="default", debtors=200, start="2027-02-01", days=2, roster=roster(10))
    return Experiment(arms=tuple(Arm(name=name, floor=floor) for name in names), plan=plan, **more)  # type: ignore[arg-type]


def ran(tried: Experiment, *outcomes: tuple[tuple[Outcome, ...], ...]) -> Ran:
    """Return what came out, by setting, arm and replication."""
    return Ran(
        settings=tried.settings,
        outcomes=outcomes,
        digests=tuple(tuple(tuple(digest(encode(one)) for one in some) for some in arms) for arms in outcomes),
        replications=len(outcomes[0][0]),
        computed=0,
        cpu_s=0.0,
    )

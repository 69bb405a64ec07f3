"""What would take seconds when first asked for is asked for before the first tick, off the loop."""

from collections.abc import Iterable

from dialer.engine import Engine
from dialer.pacing import Pacer, PacingSettings
from domain.people import Dossier, Phone


def warm_gate(engine: Engine, campaign: str, people: Iterable[Dossier]) -> None:
    """Let the gate judge one person of each kind.

    What it works out when first asked for, calendars of holidays above all, takes up to seconds, in which no caller
    would get an agent.
    """
    settings = engine.state.campaign_settings(campaign)
    kinds: dict[object, tuple[Dossier, Phone]] = {}
    for dossier in people:
        for phone in dossier.phones:
            kind = (dossier.country, dossier.region, dossier.address_zones, phone.country, phone.line_type, phone.zones)
            kinds.setdefault(kind, (dossier, phone))
    for dossier, phone in kinds.values():
        engine.gate.judge(
            dossier,
            at_us=engine.state.at_us,
            phone=phone,
            debts=(),
            actor=settings.actor,
            purpose=settings.purpose,
        )


def warm_pacing() -> None:
    """Let a pacer that has learned enough decide once, so that its kernels are compiled, or read from their cache."""
    pacer = Pacer(PacingSettings(agents=3))
    for ordinal in range(40):
        pacer.observe_outcome("live" if ordinal % 4 == 0 else "no_answer", 10.0, 0.25, at=0.0)
        pacer.observe_talk(60.0)
        pacer.observe_wrap(10.0)
        pacer.observe_finish(5.0)
    pacer.decide(
        60.0,
        1,
        0,
        [30.0],
        [5.0],
        [3.0],
        p_answer=[0.25],
        p_next=[0.25],
        detecting_s=[1.0],
        finishing_s=[2.0],
    )

"""What would take seconds when first asked for is asked for before the first tick, off the loop."""

from collections.abc import Iterable

from dialer.engine import Gate
from dialer.pacing import Pacer, PacingSettings
from domain.people import Dossier, Phone
from domain.settings import CampaignSettings


def warm_gate(gate: Gate, settings: CampaignSettings, people: Iterable[Dossier], at_us: int) -> None:
    """Let the gate judge one person of each kind.

    What it works out when first asked for, calendars of holidays above all, takes up to seconds, in which no caller
    would get an agent.
    """
    kinds: dict[object, tuple[Dossier, Phone]] = {}
    for dossier in people:
        for phone in dossier.phones:
            kind = (dossier.country, dossier.region, dossier.address_zones, phone.country, phone.line_type, phone.zones)
            kinds.setdefault(kind, (dossier, phone))
    for dossier, phone in kinds.values():
        gate.judge(
            dossier,
            at_us=at_us,
            phone=phone,
            debts=(),
            actor=settings.actor,
            purpose=settings.purpose,
        )


def warm_pacing() -> None:
    """Have the kernels of pacing compiled, or read from their cache: a pacer does so when it is made."""
    Pacer(PacingSettings())

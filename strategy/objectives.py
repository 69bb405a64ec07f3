"""What a strategy is for: by what it is judged in trials and simulations, and what its plan counts."""

from typing import Final, Literal, get_args

import msgspec

from domain.errors import BadInput

Name = Literal["net_recovery", "right_party_contacts", "promises_kept"]
NET_RECOVERY: Final[Name] = "net_recovery"
CONTACTS: Final[Name] = "right_party_contacts"
PROMISES_KEPT: Final[Name] = "promises_kept"
#: What ranks first where promises kept are planned for: how many a conversation brings, as models tell it.
KEPT_PER_CONTACT: Final = "kept_per_contact"


class Objective(msgspec.Struct, frozen=True, kw_only=True):
    words: str
    #: Of a trial's units (`ledger.trial_units`), and of simulated months (`simulation.measures`).
    figure: str
    measure: str
    #: What it is counted in; empty: money.
    unit: str = ""


OBJECTIVES: Final[dict[str, Objective]] = {
    "net_recovery": Objective(words="net recovery", figure="net", measure="net_recovery"),
    "right_party_contacts": Objective(
        words="right-party contacts", figure="right_parties", measure="right_party", unit="contacts"
    ),
    "promises_kept": Objective(
        words="promises kept", figure="promises_kept", measure="promises_kept", unit="promises kept"
    ),
}


def check_metric(where: str, metric: str) -> None:
    """Refuse what is no objective."""
    if metric not in OBJECTIVES:
        raise BadInput(f"{where}: --metric must be one of {', '.join(get_args(Name))}, was {metric!r}; correct it")

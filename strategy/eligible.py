"""Who may be called at all on a day, as far as law and the record tell when the list is made."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from compliance.columns import columns_of
from compliance.gate import Gate
from compliance.mask import callable_mask
from domain.people import Dossier
from domain.settings import CampaignSettings


def eligible(
    gate: Gate, hours_us: Sequence[int], campaign: CampaignSettings, people: Sequence[Dossier]
) -> NDArray[np.bool_]:
    """Return for whom some number may be called in some whole hour, by whatever is known of them now.

    Parameters
    ----------
    hours_us : sequence of int
        Starts of the hours that are left of the floor's day, ascending.

    Returns
    -------
    (n,) bool
    """
    found = np.zeros(len(people), bool)
    columns = columns_of(people)
    count = np.array([len(one.phones) for one in people], np.int64)
    slots = np.array(hours_us, np.int64)
    for number in range(int(count.max(initial=0))):
        phones = np.where(number < count, number, -1).astype(np.int32)
        mask = callable_mask(
            gate,
            columns,
            slots,
            phones=phones,
            actor=campaign.actor,
            purpose=campaign.purpose,
            live_agent_guaranteed=True,
        )
        found |= (number < count) & mask.any(axis=1)
    return found

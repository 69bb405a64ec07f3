"""Countries: the codes of ISO 3166 that files and settings write, and the names that people write instead."""

import re
import unicodedata
from functools import lru_cache
from typing import Final

_CODES = """
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC
CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD
GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH
KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW
MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC
SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY
UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
"""
#: Numbers of these have a country code of their own, and ISO 3166 has them not.
_BESIDES = "AC TA XK"

CODES: Final = frozenset((_CODES + _BESIDES).split())
#: Codes by what else is written, as `plain` has it.
NAMES: Final = {
    "espana": "ES", "spain": "ES", "esp": "ES",
    "colombia": "CO", "col": "CO",
    "united_states": "US", "united_states_of_america": "US", "estados_unidos": "US", "eeuu": "US", "ee_uu": "US",
    "usa": "US", "u_s_a": "US", "u_s": "US",
    "united_kingdom": "GB", "reino_unido": "GB", "great_britain": "GB", "uk": "GB", "gbr": "GB",
    "mexico": "MX", "mex": "MX", "peru": "PE", "per": "PE", "chile": "CL", "chl": "CL",
    "argentina": "AR", "arg": "AR", "brazil": "BR", "brasil": "BR", "bra": "BR",
    "portugal": "PT", "prt": "PT", "france": "FR", "francia": "FR", "fra": "FR",
    "ecuador": "EC", "ecu": "EC", "panama": "PA", "pan": "PA",
}  # fmt: skip


@lru_cache(maxsize=65536)
def plain(text: str) -> str:
    """Return text in lower case, without accents, its runs of other signs as one underscore."""
    text = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return re.sub(r"[^a-z0-9]+", "_", text).strip("_")


def meant(word: str) -> str | None:
    """Return the code that somebody means who writes something else; None: nobody knows."""
    code = NAMES.get(plain(word), word.strip().upper())
    return code if code in CODES else None

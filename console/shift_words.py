"""What metrics, modes, dispositions and remarks are called in a report, in English and Spanish, with each formula."""

import msgspec

from domain.people import GRACE_DAYS, KEPT_SHARE
from ledger.figures import Figure


class Metric(msgspec.Struct, frozen=True):
    """A metric's name and what is divided by what."""

    en: str
    es: str
    formula_en: str
    formula_es: str
    #: Shown as it is; otherwise a share.
    plain: bool = False


METRICS: dict[str, Metric] = {
    "attempts_per_account": Metric(
        "Attempts per account", "Intentos por cuenta",
        "attempts / accounts assigned", "intentos / cuentas asignadas", True,
    ),
    "tried_0": Metric(
        "… accounts with no attempt", "… cuentas sin intento",
        "accounts / accounts assigned", "cuentas / cuentas asignadas",
    ),
    "tried_1": Metric(
        "… with one attempt", "… con un intento",
        "accounts / accounts assigned", "cuentas / cuentas asignadas",
    ),
    "tried_2": Metric(
        "… with two attempts", "… con dos intentos",
        "accounts / accounts assigned", "cuentas / cuentas asignadas",
    ),
    "tried_3_to_5": Metric(
        "… with 3 to 5 attempts", "… con 3 a 5 intentos",
        "accounts / accounts assigned", "cuentas / cuentas asignadas",
    ),
    "tried_6_more": Metric(
        "… with 6 attempts or more", "… con 6 intentos o más",
        "accounts / accounts assigned", "cuentas / cuentas asignadas",
    ),
    "list_penetration": Metric(
        "List penetration", "Penetración de la lista",
        "accounts attempted / accounts assigned and not held back by a rule",
        "cuentas intentadas / cuentas asignadas y no retenidas por norma",
    ),
    "answer_rate": Metric(
        "Answer rate", "Tasa de descuelgue",
        "answered by anything / attempts", "descuelgues de cualquiera / intentos",
    ),
    "live_answer_rate": Metric(
        "Live-answer rate", "Descuelgue por persona",
        "answered by people (met an agent + abandoned) / attempts",
        "descuelgues de personas (atendidas + abandonadas) / intentos",
    ),
    "contact_rate": Metric(
        "Contact rate", "Tasa de contacto",
        "accounts where a person met an agent / accounts attempted",
        "cuentas con persona atendida / cuentas intentadas",
    ),
    "rpc_rate": Metric(
        "Right-party contact rate", "Contacto directo",
        "right-party contacts / attempts", "contactos directos / intentos",
    ),
    "rpc_accounts": Metric(
        "Accounts with right-party contact", "Cuentas con contacto directo",
        "accounts with RPC / accounts attempted", "cuentas con contacto directo / cuentas intentadas",
    ),
    "hit_ratio": Metric(
        "Hit ratio (promise or plan)", "Tasa de éxito (promesa o plan)",
        "promises and plans / people who met an agent", "promesas y planes / personas atendidas",
    ),
    "ptp_rate": Metric(
        "PTP rate", "Tasa de promesa",
        "promises / right-party contacts", "promesas / contactos directos",
    ),
    "plan_rate": Metric(
        "Plan rate", "Tasa de plan de pago",
        "plans / right-party contacts", "planes / contactos directos",
    ),
    "kept_ptp_rate": Metric(
        "Kept-PTP rate", "Promesas cumplidas",
        f"promises paid ≥ {KEPT_SHARE:.0%} by due day + {GRACE_DAYS} days / promises fallen due",
        f"promesas pagadas ≥ {KEPT_SHARE:.0%} hasta el vencimiento + {GRACE_DAYS} días / promesas vencidas",
    ),
    "broken_ptp_rate": Metric(
        "Broken-promise rate", "Promesas incumplidas",
        "promises not kept / promises fallen due", "promesas no cumplidas / promesas vencidas",
    ),
    "promise_value_kept": Metric(
        "Promise value kept", "Valor cumplido de las promesas",
        "received on due promises / promised due", "cobrado de promesas vencidas / prometido vencido",
    ),
    "resolution": Metric(
        "Resolution at first RPC", "Resolución al primer contacto directo",
        "accounts with promise, plan or paid at their first RPC / accounts with RPC",
        "cuentas con promesa, plan o pagado en su primer contacto directo / cuentas con contacto directo",
    ),
    "abandon_us": Metric(
        "Abandonment, US style", "Abandono, estilo EE. UU.",
        "abandoned / answered by people (met an agent + abandoned)",
        "abandonadas / descuelgues de personas (atendidas + abandonadas)",
    ),
    "abandon_uk": Metric(
        "Abandonment, UK style", "Abandono, estilo R. Unido",
        "reduced / (people who met an agent + reduced); reduced: abandoned less the agents' share of machines",
        "reducidas / (personas atendidas + reducidas); reducidas: abandonadas menos la proporción de máquinas "
        "atendidas por agentes",
    ),
    "abandon_all_answers": Metric(
        "Abandonment, all answers", "Abandono, sobre descuelgues",
        "abandoned / answered by anything", "abandonadas / descuelgues de cualquiera",
    ),
    "abandon_strict": Metric(
        "Abandonment, strict", "Abandono, estricto",
        "(abandoned + cut + lost) / (people who met an agent + all three)",
        "(abandonadas + cortadas + perdidas) / (personas atendidas + las tres)",
    ),
    "abandon_day": Metric(
        "Abandonment, this day", "Abandono, este día",
        "abandoned / answered by people, floor's calendar day",
        "abandonadas / descuelgues de personas, día natural de la sala",
    ),
    "abandon_24h": Metric(
        "Abandonment, 24 hours", "Abandono, 24 horas",
        "abandoned / answered by people, last 24 hours", "abandonadas / descuelgues de personas, últimas 24 horas",
    ),
    "abandon_30d": Metric(
        "Abandonment, 30 days", "Abandono, 30 días",
        "abandoned / answered by people, 30 calendar days with this one",
        "abandonadas / descuelgues de personas, 30 días naturales con éste",
    ),
    "cut_by_detection": Metric(
        "Cut by detection", "Cortadas por la detección",
        "calls cut where a person was suspected / answered by anything",
        "llamadas cortadas con sospecha de persona / descuelgues de cualquiera",
    ),
    "left_before_routing": Metric(
        "Hung up before routing", "Colgadas antes de repartir",
        "debtor hung up while machine detection listened / answered by anything",
        "el deudor colgó durante la detección / descuelgues de cualquiera",
    ),
    "lost_in_switch": Metric(
        "Lost in the switch", "Perdidas en la centralita",
        "answered calls that the switch dropped / answered by anything",
        "descolgadas que la centralita perdió / descuelgues de cualquiera",
    ),
    "unresolved_channel": Metric(
        "Unresolved channel", "Canal sin resolver",
        "attempts whose end the switch could not tell / attempts",
        "intentos cuyo final la centralita no supo decir / intentos",
    ),
    "aht_s": Metric(
        "Average handling time, s", "Tiempo medio de gestión, s",
        "(talk + wrap-up) / handled calls", "(conversación + cierre) / llamadas atendidas", True,
    ),
    "answer_to_agent_ms": Metric(
        "Answer to agent, ms", "De descuelgue a agente, ms",
        "time from answer to agent / connected calls", "tiempo de descuelgue a agente / llamadas conectadas", True,
    ),
    "rpc_per_agent_hour": Metric(
        "RPC per agent-hour", "Contactos directos por hora",
        "RPC / (logged-in - pause) hours", "contactos directos / horas (conectado - pausa)", True,
    ),
    "promises_per_agent_hour": Metric(
        "Promises per agent-hour", "Promesas por hora",
        "promises / (logged-in - pause) hours", "promesas / horas (conectado - pausa)", True,
    ),
    "occupancy": Metric(
        "Occupancy", "Ocupación",
        "(talk + wrap-up) / (talk + wrap-up + ready), h", "(conversación + cierre) / (ambos + disponible), h",
    ),
    "average_wait_s": Metric(
        "Average agent wait, s", "Espera media del agente, s",
        "ready time / calls delivered", "tiempo disponible / llamadas entregadas", True,
    ),
    "pause_share": Metric(
        "Pause share", "Proporción de pausa", "paused / logged-in time, h", "en pausa / tiempo conectado, h",
    ),
    "collected_per_attempt": Metric(
        "Collected per attempt", "Cobrado por intento",
        "paid in the window by accounts attempted in it / attempts",
        "pagado en el período por cuentas intentadas en él / intentos", True,
    ),
    "collected_per_rpc": Metric(
        "Collected per RPC", "Cobrado por contacto directo",
        "paid in the window by accounts attempted in it / RPC",
        "pagado en el período por cuentas intentadas en él / contactos directos", True,
    ),
    "collected_per_agent_hour": Metric(
        "Collected per agent-hour", "Cobrado por hora de agente",
        "paid in the window by accounts attempted in it / (logged-in - pause) hours",
        "pagado en el período por cuentas intentadas en él / horas (conectado - pausa)", True,
    ),
    "breaches": Metric(
        "Right-to-contact breaches", "Contactos sin derecho",
        "calls ordered unreserved, too late, of a paid debt or against a word not to call / calls ordered; must be 0",
        "llamadas ordenadas sin reserva, tarde, de deuda pagada o contra un «no llamar» / llamadas ordenadas; debe "
        "ser 0",
    ),
}  # fmt: skip

MODES_ES = {"preview": "vista previa", "progressive": "progresivo", "power": "ratio fijo", "predictive": "predictivo"}

DISPOSITIONS_ES = {
    "open": "abierto", "busy": "ocupado", "no_answer": "sin respuesta", "rejected": "rechazada",
    "not_in_service": "número fuera de servicio", "network_fail": "fallo de red", "machine": "máquina",
    "cut": "cortada", "abandoned": "abandonada", "lost": "perdida", "cancelled": "cancelada",
    "not_sent": "no enviada", "stale": "reserva caducada", "unknown": "desconocido", "unrecorded": "sin tipificar",
    "wrong_party": "persona equivocada", "third_party": "tercero", "no_promise": "sin promesa",
    "promise": "promesa", "plan": "plan", "dispute": "disputa", "already_paid": "ya pagado",
    "call_back": "rellamada", "do_not_call": "no llamar", "vulnerable": "vulnerable", "attorney": "con abogado",
    "bankrupt": "en concurso", "deceased": "fallecido",
}  # fmt: skip

_DUE_ES = {
    "call-back": "rellamada", "overdue call-back": "rellamada atrasada", "promise": "promesa", "plan": "plan",
}  # fmt: skip

_TERMS = {"en": {"mode": "mode", "ratio": "lines per free agent", "abandon_limit": "abandonment limit"}}
_TERMS["es"] = {"mode": "modo", "ratio": "líneas por agente libre", "abandon_limit": "límite de abandono"}

#: What stood open, by the phase that the record ends in.
_PHASES = {
    "reserving": ("about to be dialled", "a punto de marcarse"),
    "originating": ("being dialled", "marcándose"),
    "ringing": ("ringing", "sonando"),
    "detecting": ("answered, machine detection under way", "descolgada, detección en curso"),
    "waiting": ("answered, waiting for an agent", "descolgada, en espera de agente"),
    "connecting": ("answered, an agent on the way", "descolgada, agente en camino"),
    "queued": ("answered, in the switch's queue", "descolgada, en la cola de la centralita"),
    "message": ("answered, the message playing", "descolgada, con el mensaje"),
    "talking": ("conversation under way", "conversación en curso"),
    "wrapping": ("wrap-up under way", "cierre en curso"),
}

_REMARKS = {
    "open_ended": (
        "{n} attempts without a disposition: under way when the run ended; the next run closes them with the switch",
        "{n} intentos sin tipificación: en curso cuando terminó la ejecución; la próxima los cierra con la centralita",
    ),
    "open_running": ("{n} attempts without a disposition: under way now", "{n} intentos sin tipificación: en curso"),
    "unknown": (
        "{n} attempts whose outcome the switch could not tell",
        "{n} intentos cuyo final la centralita no supo decir",
    ),
    "lost": ("{n} answered calls lost in the switch", "{n} llamadas descolgadas perdidas en la centralita"),
    "cut_by_detection": (
        "{n} calls cut by machine detection where a person was suspected",
        "{n} llamadas cortadas por la detección con sospecha de persona",
    ),
    "left_before_routing": (
        "{n} debtors hung up while machine detection listened",
        "{n} deudores colgaron durante la detección de máquinas",
    ),
    "unrecorded": ("{n} conversations without a recorded outcome", "{n} conversaciones sin tipificar"),
    "not_reserved": ("{n} calls ordered without a reservation", "{n} llamadas ordenadas sin reserva"),
    "not_allowed": ("{n} calls ordered against their verdict", "{n} llamadas ordenadas contra su veredicto"),
    "too_late": (
        "{n} calls ordered after their verdict had run out",
        "{n} llamadas ordenadas con el veredicto ya vencido",
    ),
    "twice": ("{n} calls ordered twice", "{n} llamadas ordenadas dos veces"),
    "paid": ("{n} calls about a debt known to be paid", "{n} llamadas por una deuda que constaba pagada"),
    "told_not_to": (
        "{n} calls to somebody whose word not to call was known",
        "{n} llamadas a quien constaba que no se le llame",
    ),
}


def label(figure: Figure, lang: str) -> str:
    """Return a metric's name, with the currency of its amount."""
    metric = METRICS[figure.name]
    name = metric.es if lang == "es" else metric.en
    return f"{name}, {figure.currency}" if figure.currency else name


def formula(figure: Figure, lang: str) -> str:
    metric = METRICS[figure.name]
    return metric.formula_es if lang == "es" else metric.formula_en


def mode_word(mode: str, lang: str) -> str:
    return MODES_ES.get(mode, mode) if lang == "es" else mode


def disposition_word(disposition: str, lang: str) -> str:
    return DISPOSITIONS_ES.get(disposition, disposition) if lang == "es" else disposition


def due_word(what: str, lang: str) -> str:
    return _DUE_ES.get(what, what) if lang == "es" else what


def term_word(term: str, lang: str) -> str:
    return _TERMS[lang][term]


def phase_word(phase: str, lang: str) -> str:
    return _PHASES[phase][lang == "es"]


def remark_text(kind: str, n: int, lang: str) -> str:
    """Return what an exception says."""
    english, spanish = _REMARKS[kind]
    if n == 1 and lang == "en":
        english = english.replace("{n} attempts", "{n} attempt").replace("closes them", "closes it")
    return (spanish if lang == "es" else english).format(n=f"{n:,}")

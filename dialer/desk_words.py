"""What the desk answers people, in their language: one line for each refusal, its fields filled in.

Rule: a refusal says what was found and what to do, in both languages, with the same fields. Options are named as the
command line writes them; a screen shows its own words beside its fields.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from domain.errors import BadInput

LANGUAGES = ("en", "es")

#: English, Spanish.
WORDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "no node": (
            "sign_in: no switch node {node!r}; use one of {known}",
            "sign_in: no hay ningún nodo {node!r}; use uno de {known}",
        ),
        "not on the list": (
            "sign_in: no agent {agent!r} on the list; add it with `cadencia agents add`, or use one of {known}",
            "sign_in: no hay ningún agente {agent!r} en la lista; añádalo con `cadencia agents add` o use {known}",
        ),
        "no instant": (
            "{what}: {text!r} is no instant with its offset; write it as 2026-11-18T16:30:00+01:00",
            "{what}: {text!r} no es un instante con su desfase; escríbalo como 2026-11-18T16:30:00+01:00",
        ),
        "past": (
            "{what}: {text} is past, it is {now} now; give a later one",
            "{what}: {text} ya pasó, ahora son las {now}; indique uno posterior",
        ),
        "outcome first": (
            "ready: call {call} has no outcome yet; record it with dispose",
            "ready: la llamada {call} aún no tiene resultado; regístrelo con dispose",
        ),
        "no reason": (
            "pause: no reason {reason!r}; use one of {known}",
            "pause: no hay ningún motivo {reason!r}; use uno de {known}",
        ),
        "become ready": (
            "ask: agent {agent} is {state}; become ready first",
            "ask: el agente {agent} está en {state}; póngase antes disponible (ready)",
        ),
        "no code": (
            "skip: reason {reason!r} is no code; use one word of letters and underscores",
            "skip: el motivo {reason!r} no es un código; use una sola palabra de letras y guiones bajos",
        ),
        "while talking": (
            "finishing: agent {agent} is {state}; it is said while talking",
            "finishing: el agente {agent} está en {state}; se avisa durante la conversación",
        ),
        "not signed in": (
            "{what}: agent {agent} is not signed in; sign in first",
            "{what}: el agente {agent} no ha iniciado sesión; iníciela antes",
        ),
        "no lead": (
            "{what}: agent {agent} is {state} and has no lead on the screen; ask for one first",
            "{what}: el agente {agent} está en {state} y no tiene ninguna ficha en pantalla; pida antes una",
        ),
        "no call": (
            "{what}: agent {agent} is {state} and has no call; an outcome is recorded while the call or its "
            "wrap-up lasts",
            "{what}: el agente {agent} está en {state} y no tiene llamada; el resultado se registra durante la "
            "llamada o su cierre",
        ),
        "another call": (
            "dispose: agent {agent} has call {call}, not {given}; an outcome is recorded while the call or its wrap-up "
            "lasts",
            "dispose: el agente {agent} tiene la llamada {call}, no {given}; el resultado se registra durante la "
            "llamada o su cierre",
        ),
        "not on the line": (
            "dispose: call {call} is {phase}; wait until the debtor is on the line",
            "dispose: la llamada {call} está en {phase}; espere a que el deudor esté en línea",
        ),
        "no disposition": (
            "dispose: no outcome {given!r}; use one of {known}",
            "dispose: no hay ningún resultado {given!r}; use uno de {known}",
        ),
        "takes no promise": (
            "dispose: {disposition} takes no amount, day or instalments; leave --amount, --due and --instalments out, "
            "--settles too, or record a promise",
            "dispose: {disposition} no lleva importe, día ni plazos; omita --amount, --due y --instalments, "
            "también --settles, o registre una promesa (promise)",
        ),
        "which debt": (
            "dispose: the call is about debts {known}; say which one with --debt",
            "dispose: la llamada trata de las deudas {known}; indique cuál con --debt",
        ),
        "other debt": (
            "dispose: call {call} is not about debt {debt}; use {known}",
            "dispose: la llamada {call} no trata de la deuda {debt}; use {known}",
        ),
        "promise needs": (
            "{what} needs an amount and a day; ask the debtor for both and give --amount and --due",
            "{what} necesita un importe y un día; pídalos al deudor e indíquelos con --amount y --due",
        ),
        "debt closed": (
            "{what}: the debt is {state}; record already_paid or no_promise",
            "{what}: la deuda está en {state}; registre already_paid o no_promise",
        ),
        "no amount": (
            "{what}: --amount must be a sum in {currency} such as {example}, was {given!r}; correct it",
            "{what}: --amount debe ser una suma en {currency} como {example}, era {given!r}; corríjalo",
        ),
        "decimals": (
            "{what}: {currency} has {digits} decimals, --amount was {given!r}; correct it",
            "{what}: {currency} tiene {digits} decimales, --amount era {given!r}; corríjalo",
        ),
        "amount range": (
            "{what}: --amount must be from {least} to the balance of {most}, was {given}; agree on another",
            "{what}: --amount debe estar entre {least} y el saldo de {most}, era {given}; acuerde otro",
        ),
        "no day": (
            "{what}: --due must be a day such as 2026-11-30, was {given!r}; correct it",
            "{what}: --due debe ser un día como 2026-11-30, era {given!r}; corríjalo",
        ),
        "day range": (
            "{what}: --due must lie from {first} to {last}, was {given}; agree on another day",
            "{what}: --due debe estar entre {first} y {last}, era {given}; acuerde otro día",
        ),
        "plan needs": (
            "{what} needs 2 to 120 instalments of at least the smallest coin, --instalments was {given}; correct it",
            "{what} necesita de 2 a 120 plazos de al menos la moneda más pequeña, --instalments era {given}; corríjalo",
        ),
        "nothing waived": (
            "{what}: the step of this call offers no discount on {owed}; leave --settles out: the sum is then a part, "
            "and the rest stays owed",
            "{what}: el paso de esta llamada no ofrece descuento sobre {owed}; omita --settles: la suma es entonces "
            "una parte, y el resto se sigue debiendo",
        ),
        "waives too much": (
            "{what}: {least} of {owed} settles it at the least, --amount was {given}; agree on that, or leave "
            "--settles out: the sum is then a part, and the rest stays owed",
            "{what}: se salda con {least} de {owed} como mínimo, --amount era {given}; acuerde eso, u omita --settles: "
            "la suma es entonces una parte, y el resto se sigue debiendo",
        ),
        "plan too long": (
            "{what}: plans of {known} instalments are offered on this call, --instalments was {given}; agree on "
            "{most} at most",
            "{what}: en esta llamada se ofrecen planes de {known} plazos, --instalments era {given}; acuerde {most} "
            "como máximo",
        ),
        "no instalments": (
            "{what} takes no instalments; leave --instalments out, or record a plan",
            "{what} no lleva plazos; omita --instalments, o registre un plan",
        ),
        "takes no call-back": (
            "dispose: {disposition} takes no call-back; leave --call-back-at and --own out",
            "dispose: {disposition} no lleva devolución de llamada; omita --call-back-at y --own",
        ),
        "call-back needs": (
            "dispose: call_back needs --call-back-at, e.g. 2026-11-18T16:30:00+01:00; ask the debtor when",
            "dispose: call_back necesita --call-back-at, p. ej. 2026-11-18T16:30:00+01:00; pregunte al deudor cuándo",
        ),
        "not allowed": (
            "dispose: rule {rule} allows no call at {given} ({local} for the debtor); the next allowed "
            "instant is {next}",
            "dispose: la regla {rule} no permite llamar a las {given} ({local} para el deudor); el próximo instante "
            "permitido es {next}",
        ),
        "never allowed": (
            "dispose: rule {rule} allows no call at {given} ({local} for the debtor); no later instant "
            "is allowed either",
            "dispose: la regla {rule} no permite llamar a las {given} ({local} para el deudor); tampoco se permite más "
            "tarde",
        ),
        "no verb": (
            "campaign: no verb {given!r}; use one of {known}",
            "campaign: no hay ningún verbo {given!r}; use uno de {known}",
        ),
        "limit range": (
            "limit: the share of abandoned calls must be in [0, 0.999], was {given:g}; write 0.03 for 3 %",
            "limit: la proporción de llamadas abandonadas debe estar en [0, 0.999], era {given:g}; escriba 0.03 (3 %)",
        ),
        "no mode": (
            "mode: no mode {given!r}; use one of {known}",
            "mode: no hay ningún modo {given!r}; use uno de {known}",
        ),
        "ratio range": (
            "mode: --ratio must be in [1, 10], was {given:g}; correct it",
            "mode: --ratio debe estar en [1, 10], era {given:g}; corríjalo",
        ),
        "no campaign": (
            "no campaign {given!r} on this floor; use one of {known}",
            "no hay ninguna campaña {given!r} en esta sala; use una de {known}",
        ),
    }
)


def refusal(language: str, key: str, **fields: Any) -> BadInput:
    """Return a refusal in a language, in English where that is not known."""
    return BadInput(WORDS[key][language == "es"].format(**fields))

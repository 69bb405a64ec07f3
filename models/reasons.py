"""Why an account scores as it does, in the agent's words: the features that moved it most, each with its sign.

Contributions are Shapley values of the trees (`pred_contrib`), in log odds; with the base they add up to the score
exactly. They cost about 300 rows a second: ask for accounts that are shown to somebody, not for a portfolio. A reason
tells what the model goes by. It is no cause, and no advice.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from domain.errors import BadInput
from models.features import CATEGORIES
from models.learner import Trees
from models.registry import Model
from models.table import Given, opened, words_of

F8 = NDArray[np.float64]

LANGUAGES: Final = ("en", "es")


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    feature: str
    #: None: not known.
    value: float | str | None
    #: On the log odds.
    effect: float
    text: str


class _Phrase(NamedTuple):
    """Words of a feature: where it has a value (`{}`), and where it is empty or, of comparisons, below the usual."""

    en: str
    es: str
    en_other: str = ""
    es_other: str = ""
    #: How the value is told: a whole number, a place counted from 0, a percentage, nothing.
    form: str = "n"
    #: Where the value is below zero.
    en_past: str = ""
    es_past: str = ""


_P = _Phrase
PHRASES: Final[Mapping[str, _Phrase]] = {
    "hour": _P("{} h local time", "{} h hora local"),
    "weekday": _P("it is {}", "es {}", form="day"),
    "hour_tries": _P("{} calls at this hour before", "{} llamadas antes a esta hora"),
    "hour_lift": _P("answers well at this hour", "contesta bien a esta hora", "answers little at this hour",
                    "contesta poco a esta hora", "sign"),
    "lift_morning": _P("answers well in the morning", "contesta bien por la mañana", "answers little in the morning",
                       "contesta poco por la mañana", "sign"),
    "lift_midday": _P("answers well at midday", "contesta bien a mediodía", "answers little at midday",
                      "contesta poco a mediodía", "sign"),
    "lift_afternoon": _P("answers well in the afternoon", "contesta bien por la tarde",
                         "answers little in the afternoon", "contesta poco por la tarde", "sign"),
    "lift_evening": _P("answers well in the evening", "contesta bien al anochecer", "answers little in the evening",
                       "contesta poco al anochecer", "sign"),
    "lift_weekend": _P("answers well at weekends", "contesta bien el fin de semana", "answers little at weekends",
                       "contesta poco el fin de semana", "sign"),
    "line_type": _P("kind of number: {}", "tipo de número: {}", form="word"),
    "mobile": _P("a mobile number", "número móvil", "no mobile number", "número no móvil", "sign"),
    "number_rank": _P("number {} in the order of trial", "número {} en el orden de marcado",
                      form="place"),
    "number_tries": _P("{} calls of this number", "{} llamadas a este número"),
    "number_answers": _P("this number was answered {} times", "este número contestó {} veces"),
    "number_rights": _P("the debtor answered this number {} times", "el deudor contestó este número {} veces"),
    "number_lift": _P("this number answers well", "este número contesta bien", "this number answers little",
                      "este número contesta poco", "sign"),
    "number_right_share": _P("the debtor is {} of who answers it", "el deudor es el {} de quienes contestan",
                             form="%"),
    "number_machines": _P("{} calls met a machine", "{} llamadas dieron con un contestador"),
    "number_unanswered": _P("{} calls of this number rang out", "{} llamadas a este número sin respuesta"),
    "number_busy": _P("{} calls met a busy line", "{} llamadas dieron ocupado"),
    "number_rejected": _P("{} calls were declined", "{} llamadas rechazadas"),
    "number_failed": _P("{} calls failed in the network", "{} llamadas fallidas en la red"),
    "number_bad": _P("the number is known to be bad", "el número consta como erróneo", "the number is not known to be "
                     "bad", "el número no consta como erróneo", "sign"),
    "number_streak": _P("{} calls of this number in a row without an answer",
                        "{} llamadas seguidas a este número sin respuesta"),
    "number_today": _P("{} calls of this number today", "{} llamadas hoy a este número"),
    "number_days_call": _P("this number was called {} days ago", "este número se llamó hace {} días",
                           "this number was never called", "este número nunca se llamó"),
    "number_days_answer": _P("this number answered {} days ago", "este número contestó hace {} días",
                             "this number never answered", "este número nunca contestó"),
    "numbers": _P("{} numbers on record", "{} números registrados"),
    "numbers_tried": _P("{} numbers tried", "{} números probados"),
    "tries": _P("{} calls so far", "{} llamadas hasta ahora"),
    "answers": _P("{} calls answered", "{} llamadas contestadas"),
    "rights": _P("{} conversations with the debtor", "{} conversaciones con el deudor"),
    "person_lift": _P("answers more than most", "contesta más que la mayoría", "answers less than most",
                      "contesta menos que la mayoría", "sign"),
    "calls_1d": _P("{} calls in the last day", "{} llamadas en el último día"),
    "calls_7d": _P("{} calls in the last 7 days", "{} llamadas en los últimos 7 días"),
    "calls_30d": _P("{} calls in the last 30 days", "{} llamadas en los últimos 30 días"),
    "calls_today": _P("{} calls today", "{} llamadas hoy"),
    "calls_since_right": _P("{} calls since the last conversation", "{} llamadas desde la última conversación"),
    "days_call": _P("last called {} days ago", "última llamada hace {} días", "never called", "nunca se le llamó"),
    "days_answer": _P("last answered {} days ago", "contestó por última vez hace {} días", "never answered",
                      "nunca contestó"),
    "days_right": _P("last conversation {} days ago", "última conversación hace {} días", "never spoken to",
                     "nunca se habló con él"),
    "last_end": _P("the last call ended as: {}", "la última llamada acabó en: {}", form="word"),
    "abandoned_30d": _P("{} calls abandoned in 30 days", "{} llamadas abandonadas en 30 días"),
    "disputes": _P("{} disputes", "{} reclamaciones"),
    "messages_30d": _P("{} messages in 30 days", "{} mensajes en 30 días"),
    "days_message": _P("last message {} days ago", "último mensaje hace {} días", "no message yet", "aún sin mensajes"),
    "inbound": _P("contacted us {} times", "nos contactó {} veces"),
    "days_inbound": _P("contacted us {} days ago", "nos contactó hace {} días", "never contacted us",
                       "nunca nos contactó"),
    "days_call_back": _P("asked for a call-back {} days ago", "pidió que le llamáramos hace {} días",
                         "never asked for a call-back", "nunca pidió que le llamáramos"),
    "promises": _P("{} promises made", "{} promesas hechas"),
    "promises_open": _P("{} promises open", "{} promesas pendientes"),
    "promises_kept": _P("{} promises kept", "{} promesas cumplidas"),
    "promises_broken": _P("{} promises broken", "{} promesas incumplidas"),
    "kept_share": _P("keeps {} of promises", "cumple el {} de sus promesas", form="%"),
    "plans": _P("{} plans agreed", "{} planes acordados"),
    "days_promise": _P("last promise {} days ago", "última promesa hace {} días", "never promised", "nunca prometió"),
    "days_promise_due": _P("last promise due in {} days", "última promesa vence en {} días", "no promise with a day",
                           "sin promesa con fecha", en_past="last promise fell due {} days ago",
                           es_past="última promesa venció hace {} días"),
    "promised_share": _P("promised {} of what is owed", "prometió el {} de lo que debe", "promised nothing",
                         "no prometió nada", "%"),
    "payments": _P("{} payments", "{} pagos"),
    "days_payment": _P("paid {} days ago", "pagó hace {} días", "never paid", "nunca pagó"),
    "days_payday": _P("{} days since the usual payday", "{} días desde su día habitual de pago", "no payday known",
                      "sin día de pago conocido"),
    "paid_30d": _P("paid {} in 30 days", "pagó el {} en 30 días", form="%"),
    "paid_90d": _P("paid {} in 90 days", "pagó el {} en 90 días", form="%"),
    "paid_share": _P("paid {} of all that was owed", "pagó el {} de todo lo debido", form="%"),
    "debts_open": _P("{} open debts", "{} deudas abiertas"),
    "balance": _P("owes more than is usual", "debe más de lo habitual", "owes less than is usual",
                  "debe menos de lo habitual", "sign"),
    "balance_change": _P("owes more than when the debt came", "debe más que cuando entró la deuda",
                         "owes no more than when the debt came", "no debe más que cuando entró la deuda", "sign"),
    "days_due": _P("{} days past due", "{} días de mora", "due day not told", "vencimiento no informado"),
    "days_assigned": _P("with us for {} days", "con nosotros desde hace {} días", "arrival not told",
                        "entrada no informada"),
    "month_day": _P("day {} of the month", "día {} del mes"),
    "action": _P("this contact: {}", "este contacto: {}", form="word"),
}  # fmt: skip
_DAYS: Final = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "es": ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"),
}
_WORDS_ES: Final = {
    "none": "ninguna", "other": "otro", "busy": "ocupado", "no_answer": "sin respuesta", "rejected": "rechazada",
    "not_in_service": "fuera de servicio", "network_fail": "fallo de red", "machine": "contestador", "cut": "cortada",
    "abandoned": "abandonada", "lost": "perdida", "cancelled": "cancelada", "unrecorded": "sin registrar",
    "wrong_party": "persona equivocada", "third_party": "tercero", "no_promise": "sin promesa", "promise": "promesa",
    "plan": "plan", "dispute": "reclamación", "already_paid": "dice haber pagado", "call_back": "volver a llamar",
    "do_not_call": "no llamar", "unknown": "desconocido", "mobile": "móvil", "fixed": "fijo",
    "fixed_or_mobile": "fijo o móvil", "voip": "VoIP", "toll_free": "gratuito", "talk": "conversación", "sms": "SMS",
}  # fmt: skip


def check_language(language: str) -> None:
    """Refuse a language that reasons are not written in."""
    if language not in LANGUAGES:
        raise BadInput(f"reasons: language must be one of {', '.join(LANGUAGES)}, was {language!r}; choose one")


def contributions(boosters: Sequence[Any], x: NDArray[Any]) -> F8:
    """Return what each feature adds to the log odds, and the base in the last column: (n, d + 1)."""
    total = sum(np.asarray(one.predict(x, pred_contrib=True, num_threads=1)) for one in boosters)
    return np.asarray(total / len(boosters), dtype=np.float64)


def reasons(
    boosters: Sequence[Any], x: NDArray[Any], names: Sequence[str], *, language: str = "en", most: int = 4,
    categories: Mapping[str, Sequence[str]] = CATEGORIES,
) -> list[tuple[Reason, ...]]:  # fmt: skip
    """Return the reasons of each row, those that moved it most first; a feature that moved nothing is none.

    Parameters
    ----------
    boosters
        Of LightGBM; bags are averaged.
    x : (n, d)
    names : d names, of this project's features or of any table
    categories
        The words of categories, in the order of their codes.

    Raises
    ------
    BadInput
        When nothing is written in the language.
    """
    check_language(language)
    told = contributions(boosters, x)[:, :-1]
    order = np.argsort(-np.abs(told), axis=1, kind="stable")[:, :most]
    found = []
    for row, places in enumerate(order):
        found.append(
            tuple(
                _reason(names[place], float(x[row, place]), float(told[row, place]), language, categories)
                for place in places.tolist()
                if told[row, place] != 0.0
            )
        )
    return found


def _reason(name: str, number: float, effect: float, language: str, categories: Mapping[str, Sequence[str]]) -> Reason:
    known = not np.isnan(number)
    words = categories.get(name)
    value: float | str | None = (words[int(number)] if words is not None else number) if known else None
    return Reason(feature=name, value=value, effect=effect, text=_text(name, value, language))


def _text(name: str, value: float | str | None, language: str) -> str:
    spanish = language == "es"
    phrase = PHRASES.get(name)
    if phrase is None or (value is not None and (phrase.form == "word") != isinstance(value, str)):
        unknown = "no consta" if spanish else "not known"
        return f"{name}: {unknown if value is None else value if isinstance(value, str) else f'{value:g}'}"
    if value is None and phrase.form == "sign":
        return f"{name}: {'no consta' if spanish else 'not known'}"
    one, other = (phrase.es, phrase.es_other) if spanish else (phrase.en, phrase.en_other)
    if value is None:
        return other or one.format("no consta" if spanish else "not known")
    if isinstance(value, str):
        return one.format(_WORDS_ES.get(value, value) if spanish else value.replace("_", " "))
    if phrase.form == "sign":
        return one if value > 0.0 else other
    if phrase.form == "day":
        return one.format(_DAYS[language][int(value) % 7])
    if phrase.form == "%":
        return one.format(f"{value:.0%}")
    if value < 0.0 and phrase.en_past:
        return (phrase.es_past if spanish else phrase.en_past).format(f"{-value:.0f}")
    return one.format(f"{value + 1.0 if phrase.form == 'place' else value:.0f}")


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a table."""

    #: From 0.
    row: int
    #: What the schema's group column holds.
    group: str | None
    p: float
    reasons: tuple[Reason, ...]
    #: Id of the number, where rows of the ledger are explained and each number has one.
    phone: int | None = None


def explain(
    model: Model, given: Given, *, language: str = "en", most: int = 4, groups: Sequence[str] = (), limit: int = 20
) -> list[Explained]:
    """Return why rows score as they do.

    Parameters
    ----------
    groups
        Of the schema's group column (debtors), as words; without any, the first rows.
    limit
        At most so many rows.

    Raises
    ------
    BadInput
        When the model has no trees, a feature is missing, or none of the groups is there.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    check_language(language)
    schema, encoding = model.manifest.schema, model.encoding
    if not isinstance(model.fitted, Trees):
        raise BadInput(f"models explain: {model.version} is a {schema.recipe.learner} model; explain one of trees")
    source, where = opened(given, schema)
    places = np.arange(source.num_rows)
    if groups:
        if schema.group not in source.column_names:
            raise BadInput(
                f"{where}: no column {schema.group or '(the schema names no group)'} to look for {groups[0]}"
            )
        words = words_of(source.column(schema.group), schema.group, where)
        places = np.flatnonzero(np.asarray(pc.is_in(words, value_set=pa.array(groups, pa.string()))))
        if not len(places):
            raise BadInput(f"{where}: {schema.group} {groups[0]} is in no row; name one that is there")
    places = places[:limit]
    rows = source.take(pa.array(places))
    x = encoding.matrix(rows, where)
    p = model.predict(x, _means(model, x, given, places))
    told = reasons(
        model.fitted.boosters, x, encoding.features, language=language, most=most, categories=encoding.categories
    )
    names = None
    if schema.group in rows.column_names:
        names = words_of(rows.column(schema.group), schema.group, where).to_pylist()
    phones = rows.column("phone").to_pylist() if given.path is None and "phone" in rows.column_names else None
    return [
        Explained(
            row=int(row),
            group=names[n] if names else None,
            p=float(p[n]),
            reasons=told[n],
            phone=phones[n] if phones else None,
        )
        for n, row in enumerate(places.tolist())
    ]


def _means(model: Model, x: Any, given: Given, places: Any) -> Any:
    """Return what `Model.predict` takes, of rows about calls of the ledger."""
    if given.moments is None:
        return None
    from models.best_times import means

    return means(model, x, given.moments.take(places))

"""The columns that files may have, by every name under which they are read; `docs/import.md` shows this table.

A header is compared in lower case, without accents, its blanks and signs as one underscore: `Código Postal` is
`codigo_postal`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from domain.countries import plain
from domain.errors import BadInput
from ledger.intake.lists import stop_kind

#: Column of an account file → other names under which it is read.
ACCOUNT_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "creditor": ("acreedor", "cedente", "entidad", "mandante", "client_name"),
    "account": ("cuenta", "account_number", "numero_cuenta", "contrato", "contract", "obligacion", "loan_id",
                "expediente"),
    "person": (
        "person_reference", "debtor", "debtor_id", "deudor", "id_deudor", "customer_id", "documento", "identificacion",
        "cedula", "nif", "dni",
    ),
    "global_person": ("global_reference", "persona_global", "referencia_global"),
    "name": ("nombre", "full_name", "nombre_completo", "titular", "debtor_name", "nombre_deudor"),
    "phones": ("telefonos",),
    "country": ("pais", "country_code"),
    "region": ("state", "province", "provincia", "departamento", "comunidad_autonoma"),
    "city": ("ciudad", "municipio", "poblacion", "localidad"),
    "postal_code": ("codigo_postal", "cp", "zip", "zip_code", "postcode"),
    "street": ("direccion", "calle", "address", "street_address"),
    "language": ("idioma", "lengua", "lang"),
    "balance": ("saldo", "saldo_pendiente", "deuda", "importe", "amount_due", "outstanding"),
    "currency": ("moneda", "divisa"),
    "balance_on": ("fecha_saldo", "fecha_corte", "balance_date", "as_of"),
    "due_on": ("vencimiento", "fecha_vencimiento", "due_date", "due"),
    "product": ("producto", "tipo_producto", "product_type"),
    "household": ("hogar", "household_id", "id_hogar"),
    "owner": ("gestor", "agente", "agent", "owner_agent", "assigned_agent"),
    "rank": ("prioridad", "priority", "orden"),
    "consents": ("consentimientos", "consent", "consentimiento"),
    "stops": ("bloqueos", "flags", "marcas"),
    "prior_attempts": ("intentos", "intentos_previos", "contact_history", "attempts_30d"),
}  # fmt: skip

#: Column of a file of prior attempts → other names.
ATTEMPT_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "creditor": ACCOUNT_COLUMNS["creditor"],
    "account": ACCOUNT_COLUMNS["account"],
    "at": ("fecha", "fecha_hora", "date", "datetime", "instante"),
    "channel": ("canal",),
    "event": ("evento", "result", "resultado"),
    "phone": ("telefono", "phone_number"),
    "country": ACCOUNT_COLUMNS["country"],
}

#: Column of a payments file → other names.
PAYMENT_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "creditor": ACCOUNT_COLUMNS["creditor"],
    "account": ACCOUNT_COLUMNS["account"],
    "paid_on": ("fecha_pago", "payment_date", "paid_at", "fecha"),
    "amount": ("importe", "monto", "valor", "amount_paid"),
    "currency": ACCOUNT_COLUMNS["currency"],
    "reference": ("referencia", "payment_id", "id_pago", "recibo", "receipt"),
    "method": ("medio", "medio_pago", "payment_method"),
}

#: Column of a file of stops → other names.
STOP_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "creditor": ACCOUNT_COLUMNS["creditor"],
    "account": ACCOUNT_COLUMNS["account"],
    "stop": ("kind", "bloqueo", "tipo", "marca", "flag"),
    "scope": ("alcance",),
    "phone": ("telefono", "phone_number"),
    "country": ACCOUNT_COLUMNS["country"],
    "channel": ("canal",),
    "since": ("at", "fecha", "desde", "date", "received_on"),
    "until": ("hasta",),
    "received": ("received_by", "recibido_por", "via"),
    "note": ("nota", "notas", "observaciones"),
}

#: Column of a file of complaints → other names.
COMPLAINT_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "creditor": ACCOUNT_COLUMNS["creditor"],
    "account": ACCOUNT_COLUMNS["account"],
    "at": ("fecha", "fecha_hora", "since", "date", "received_on"),
    "about": ("motivo", "asunto", "reason", "subject"),
}

#: `phone1`, `telefono 2`, `movil`, `home_phone`…: a column that holds one number; several may stand side by side.
_ONE_PHONE = re.compile(
    r"(?:(?:home|work|mobile|cell)_)?(?:phone|telephone|tel|telefono|movil|celular|mobile|cell|fijo|landline)"
    r"(?:_(?:movil|fijo|casa|trabajo|number|contacto))?_?(\d{1,2})?"
)
#: Written into rejects files before the original row, so that a corrected rejects file can be imported as it is.
REJECT_COLUMNS = ("reject_row", "reject_field", "reject_found", "reject_do")


class Columns(msgspec.Struct, frozen=True, kw_only=True):
    """Where the values of a row stand."""

    #: Name → index.
    at: dict[str, int]
    #: Indexes of the columns that hold one phone each, in the order of trial.
    phones: tuple[int, ...] = ()
    #: (stop, index) of the columns that stand for one stop each.
    stops: tuple[tuple[str, int], ...] = ()
    #: The header as the file has it, without what an earlier rejects file added.
    header: tuple[str, ...]
    #: Columns that nothing reads.
    unknown: tuple[str, ...] = ()

    def has(self, *names: str) -> bool:
        """Return whether the file has one of the columns."""
        return any(name in self.at for name in names)


def find_columns(
    header: Sequence[str], names: Mapping[str, tuple[str, ...]], required: Iterable[str], where: str
) -> Columns:
    """Return where each column stands.

    Raises
    ------
    BadInput
        When a required column is missing or two columns mean the same.
    """
    known = {alias: name for name, aliases in names.items() for alias in (name, *aliases)}
    accounts = names is ACCOUNT_COLUMNS
    at: dict[str, int] = {}
    phones: list[tuple[int, int]] = []
    stops: list[tuple[str, int]] = []
    unknown: list[str] = []
    for index, title in enumerate(header):
        word = plain(title)
        if name := known.get(word):
            if name in at:
                raise BadInput(
                    f"{where}: columns {header[at[name]]!r} and {title!r} both mean {name}; rename one of them"
                )
            at[name] = index
        elif accounts and (one := _ONE_PHONE.fullmatch(word)):
            phones.append((int(one[1] or 0), index))
        elif accounts and (kind := stop_kind(word.removeprefix("stop_"))):
            stops.append((kind.value, index))
        elif word not in REJECT_COLUMNS:
            unknown.append(title)
    if missing := [name for name in required if name not in at]:
        raise BadInput(
            f"{where}: no column for {', '.join(missing)}; found {', '.join(map(repr, header))}. Name the column "
            + " and ".join(f"{name} (or {', '.join(names[name][:4])})" for name in missing)
        )
    return Columns(
        at=at,
        phones=tuple(index for _, index in sorted(phones)),
        stops=tuple(stops),
        header=tuple(title for title in header if plain(title) not in REJECT_COLUMNS),
        unknown=tuple(unknown),
    )


def is_attempts_header(header: Sequence[str]) -> bool:
    """Return whether a header is that of a file of prior attempts rather than of accounts."""
    words = {plain(title) for title in header}
    return (
        not words & {"balance", *ACCOUNT_COLUMNS["balance"]}
        and bool(words & {"at", *ATTEMPT_COLUMNS["at"]})
        and bool(words & {"event", *ATTEMPT_COLUMNS["event"]})
    )

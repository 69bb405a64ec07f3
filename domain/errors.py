"""Three errors, by who must act: the operator, nobody yet, the developer."""


class CadenciaError(Exception):
    """Root of the errors that this product raises on purpose."""


class BadInput(CadenciaError):
    """Something given from outside is wrong: says what, where, what was found and what to do. The operator acts."""


class SwitchLost(CadenciaError):
    """A switch or its link is away for now. Nobody acts yet: the loop tries again."""


class LedgerStalled(CadenciaError):
    """The record cannot be written or read for now (locked, disk full, server away). Nobody acts yet: the loop keeps
    its rows, dials nothing new and tries again."""


class Broken(CadenciaError):
    """A law of the house does not hold: the record cannot be folded, an impossible transition. The developer acts."""

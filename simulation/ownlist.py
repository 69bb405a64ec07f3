"""People of a real ledger as a file that simulations start from: ids, places, debts and history; no name, no number."""

from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import msgspec

from domain.errors import BadInput
from domain.people import Dossier


def write_people(folder: Path, people: Iterable[Dossier]) -> Path:
    """Write people into a file that is named by its contents and return its path."""
    content = msgspec.msgpack.encode(sorted(people, key=lambda one: one.person))
    path = folder / f"people-{sha256(content).hexdigest()[:12]}.msgpack"
    folder.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_bytes(content)
    return path


@lru_cache(maxsize=2)
def read_people(path: str) -> tuple[Dossier, ...]:
    """Return the people of such a file.

    Raises
    ------
    BadInput
        When it cannot be read.
    """
    try:
        return msgspec.msgpack.decode(Path(path).read_bytes(), type=tuple[Dossier, ...])
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); it must lie there for every worker") from None
    except msgspec.DecodeError as error:
        raise BadInput(f"{path}: holds no people ({error}); run the command that made it again") from None


@lru_cache(maxsize=8)
def people_hash(path: str) -> str:
    """Return what names the contents of such a file; nothing for no file."""
    try:
        return sha256(Path(path).read_bytes()).hexdigest() if path else ""
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); it must lie there for every worker") from None

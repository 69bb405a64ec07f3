"""A Dask cluster, for what is too much for one machine. Whole pieces of work go there, and results stay the same."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from domain.errors import BadInput


@contextmanager
def opened(address: str, code: Callable[[], str]) -> Iterator[Any]:
    """Give a client of the scheduler at an address.

    Parameters
    ----------
    code
        Names the code that works, where it is called; a function of a module.

    Raises
    ------
    BadInput
        When Dask is missing, no scheduler answers, nobody works for it, or a worker has other code.
    """
    try:
        from distributed import Client
    except ImportError:
        raise BadInput(
            "--cluster needs Dask, which is not installed: pip install 'cadencia[cluster]' here and on the workers"
        ) from None
    try:
        client = Client(address, timeout="20s")  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TimeoutError) as error:
        raise BadInput(f"--cluster {address}: no scheduler answers ({error}); start one, or leave it out") from None
    with client:
        here = code()
        found = client.run(code)
        if not found:
            raise BadInput(
                f"--cluster {address}: nobody works for this scheduler; start workers: dask worker {address}"
            )
        if strange := sorted(worker for worker, version in found.items() if version != here):
            raise BadInput(
                f"--cluster {address}: {', '.join(strange)} runs another version of Cadencia, which may compute "
                "something else; install the same on every worker"
            )
        yield client


def code_of(rooms: Iterable[str]) -> str:
    """Return a hash of the sources and data files of these rooms."""
    home = Path(__file__).resolve().parent.parent
    found = sha256()
    for room in sorted(rooms):
        for path in sorted(path for kind in ("*.py", "*.toml") for path in (home / room).rglob(kind)):
            found.update(path.relative_to(home).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()[:16]


def learning_code() -> str:
    """Return what names the code that learns and scores here."""
    return code_of(("domain", "models"))

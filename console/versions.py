"""What decisions depend on beyond settings and rules: named in the header of every segment of the record."""

import hashlib
import platform
from importlib import metadata
from pathlib import Path

from console import __version__

#: Code that decides.
_DECIDING = (
    "domain/**/*.py",
    "compliance/**/*.py",
    "dialer/pacing/**/*.py",
    "dialer/engine/**/*.py",
)
_LIBRARIES = ("msgspec", "numpy", "numba", "holidays", "tzdata")


def versions() -> dict[str, str]:
    """Return the versions of code, libraries, interpreter and processor, by name."""
    found = {
        "cadencia": __version__,
        "code": _code(),
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
    return found | {name: metadata.version(name) for name in _LIBRARIES}


def _code() -> str:
    home = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for path in sorted({path for pattern in _DECIDING for path in home.glob(pattern)}):
        digest.update(path.relative_to(home).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def trained() -> dict[str, str]:
    """Return the versions on which a model depends: its room's code, and the libraries that learn."""
    from models.cluster import code_of

    found = {
        name: version for name, version in versions().items() if name not in ("code", "numba", "holidays", "tzdata")
    }
    learning = {name: metadata.version(name) for name in ("lightgbm", "scikit-learn", "pyarrow")}
    return found | {"models": code_of(("domain", "models"))} | learning


def simulated() -> dict[str, str]:
    """Return the versions on which a simulated outcome depends: the deciding code's, and those of the world."""
    from models.cluster import code_of
    from simulation.store import ROOMS

    found = {name: version for name, version in versions().items() if name != "code"}
    return found | {"simulation": code_of(ROOMS), "simpy": metadata.version("simpy")}

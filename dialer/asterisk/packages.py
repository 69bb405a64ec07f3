"""Asterisk and SIPp without root: Debian packages with their whole library closure, unpacked into a cache folder.

Nothing of the host is touched or used but `apt-get`, `dpkg-deb` and `tar`: each program runs under the C library and
loader that came with it. The mirror is the one of the machine's own apt settings.
"""

import fcntl
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from domain.errors import BadInput

#: Goes up when the unpacked form changes, so that an older cache is built anew.
LAYOUT = 1
KEYRINGS = tuple(Path("/usr/share/keyrings", f"debian-archive-keyring.{kind}") for kind in ("gpg", "pgp", "asc"))
#: Between attempts to reach the mirror.
PAUSES_S: tuple[float, ...] = (2, 10)
#: Debian suite that carries each major version of Asterisk.
SUITES = {22: "sid", 16: "bullseye"}
PACKAGES = ("asterisk", "asterisk-core-sounds-en-gsm", "asterisk-core-sounds-es-wav", "sip-tester")
#: Sound folders that the packages' own installation would link under the language's name.
SOUNDS = {"en": "en_US_f_Allison", "es": "es_MX_f_Allison"}

APT_CONF = """\
Dir::Etc::main "/dev/null"; Dir::Etc::parts "{apt}/empty"; Dir::Etc::sourcelist "{apt}/sources.list";
Dir::Etc::sourceparts "{apt}/empty"; Dir::Etc::preferences "/dev/null"; Dir::Etc::preferencesparts "{apt}/empty";
Dir::State "{apt}"; Dir::State::lists "{apt}/lists"; Dir::State::status "{apt}/status";
Dir::Cache "{apt}/cache"; Dir::Log "{apt}"; Debug::NoLocking "true";
APT::Install-Recommends "false"; APT::Sandbox::User ""; APT::Update::Error-Mode "any";
Acquire::Retries "1"; Acquire::Languages "none"; Acquire::Check-Valid-Until "false";
"""

# `core restart now` runs argv[0] again, so that must be this script wherever the loader can set it (glibc 2.33).
WRAPPER = """\
#!/bin/sh
root=${{0%/*}}/../root
export OPENSSL_MODULES="$root/{libraries}/ossl-modules"
exec "$root/{loader}" {argv0}--library-path "$root/{libraries}:$root/usr/lib" "$root/{program}" "$@"
"""


class Unpacked(msgspec.Struct, frozen=True, kw_only=True):
    """A cache folder that is complete."""

    prefix: Path
    #: What was asked for; another answer means that the folder is of another making.
    wanted: str
    #: As the program itself says, e.g. `Asterisk 22.10.1…`.
    asterisk_version: str
    sipp_version: str
    #: Names of the package files it is made of.
    packages: tuple[str, ...]

    @property
    def asterisk(self) -> Path:
        return self.prefix / "bin" / "asterisk"

    @property
    def sipp(self) -> Path:
        return self.prefix / "bin" / "sipp"

    @property
    def modules(self) -> Path:
        return self.prefix / "modules"

    @property
    def data(self) -> Path:
        """Folder of sounds and documentation (`astdatadir`)."""
        return self.prefix / "root" / "usr" / "share" / "asterisk"

    @property
    def sbin(self) -> Path:
        return self.prefix / "root" / "usr" / "sbin"

    @property
    def major(self) -> int:
        return int(self.asterisk_version.split()[1].split(".")[0])


def cache_folder() -> Path:
    """Return where downloads are kept: `$CADENCIA_CACHE`, else `cadencia` in the user's cache folder."""
    if given := os.environ.get("CADENCIA_CACHE"):
        return Path(given).absolute()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base, "cadencia").absolute()


def fetch(version: int = 22, cache: Path | None = None, say: Callable[[str], None] = lambda _: None) -> Unpacked:
    """Return the unpacked Asterisk of a major version with SIPp, downloading it where the cache lacks it.

    Parameters
    ----------
    say
        Told what is going on; the first download takes 10 to 60 s.

    Raises
    ------
    BadInput
        When this machine has no apt, no Debian source or key, or the mirror cannot be reached.
    """
    if version not in SUITES:
        known = " or ".join(str(major) for major in sorted(SUITES))
        raise BadInput(f"lab: there is no Asterisk {version} to unpack; ask for {known}")
    cache = cache or cache_folder()
    prefix = cache / f"asterisk-{version}"
    wanted = f"layout {LAYOUT}, {SUITES[version]}: {' '.join(PACKAGES)}"
    if (found := _read(prefix, wanted)) is not None:
        return found
    try:
        cache.mkdir(parents=True, exist_ok=True)
        lock = (cache / f"asterisk-{version}.lock").open("w")
    except OSError as error:
        raise BadInput(
            f"lab: cache folder {cache} cannot be written ({error}); set CADENCIA_CACHE to one that can"
        ) from None
    with lock, _held(lock.fileno()):
        if (found := _read(prefix, wanted)) is not None:
            return found
        part = cache / f"asterisk-{version}.part"
        shutil.rmtree(part, ignore_errors=True)
        say(f"fetching Asterisk {version} and SIPp (Debian {SUITES[version]}, about 110 MB) into {prefix}")
        debs = _download(SUITES[version], part / "apt")
        say(f"unpacking {len(debs)} packages")
        _unpack(debs, part / "root")
        _link(part)
        versions = [_version(part / "bin" / "asterisk", "-V"), _version(part / "bin" / "sipp", "-v")]
        shutil.rmtree(part / "apt")
        names = tuple(deb.name for deb in debs)
        unpacked = Unpacked(
            prefix=prefix, wanted=wanted, asterisk_version=versions[0], sipp_version=versions[1], packages=names
        )
        if unpacked.major < version:
            raise BadInput(
                f"lab: Debian {SUITES[version]} carries {versions[0]}, expected {version}; ask for another version"
            )
        (part / "unpacked.json").write_bytes(msgspec.json.encode(unpacked, enc_hook=str))
        shutil.rmtree(prefix, ignore_errors=True)
        part.rename(prefix)
        say(f"{versions[0]}, {versions[1]}")
        return unpacked


def _read(prefix: Path, wanted: str) -> Unpacked | None:
    try:
        text = (prefix / "unpacked.json").read_bytes()
    except OSError:
        return None
    found = msgspec.json.decode(text, type=Unpacked, dec_hook=lambda kind, value: kind(value))
    if found.wanted != wanted:
        return None
    return msgspec.structs.replace(found, prefix=prefix)


@contextmanager
def _held(descriptor: int) -> Iterator[None]:
    """Hold a lock that ends with the process, so that a killed download blocks nobody."""
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def _source() -> tuple[str, str]:
    """Return mirror and key of Debian, from the environment or the machine's apt settings."""
    for tool in ("apt-get", "dpkg-deb", "tar"):
        if shutil.which(tool) is None:
            raise BadInput(
                f"lab: this machine has no {tool}, so Asterisk cannot be unpacked here; use a Debian machine, or try "
                "`cadencia demo`, which needs no telephone"
            )
    mirror, key = os.environ.get("CADENCIA_DEBIAN_MIRROR"), os.environ.get("CADENCIA_DEBIAN_KEYRING")
    if key is not None and not Path(key).is_file():
        raise BadInput(f"lab: CADENCIA_DEBIAN_KEYRING names {key}, where there is no file; correct it")
    # Debian's whole keyring comes before the key file that the machine uses for its own suite only.
    key = key or next((str(keyring) for keyring in KEYRINGS if keyring.is_file()), None)
    mirror = mirror or next(iter(_mirrors()), None)
    if mirror is None:
        raise BadInput(
            "lab: the apt settings of this machine name no Debian mirror; set CADENCIA_DEBIAN_MIRROR to the address of "
            "one (as in sources.list), or try `cadencia demo`, which needs no telephone"
        )
    if key is None:
        raise BadInput(
            "lab: Debian's archive key is not on this machine; install debian-archive-keyring or set "
            "CADENCIA_DEBIAN_KEYRING to the key file"
        )
    return mirror, key


def _mirrors() -> list[str]:
    """Return the addresses in the machine's apt settings that look like Debian's archive, the likeliest first."""
    debian = ["Created-By: Packages", "Origin: Debian", "Label: Debian"]
    known = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)", *debian], capture_output=True, text=True, check=False
    )
    # Before the first `apt-get update` nothing has told its origin; then only addresses can be had, and must do.
    planned = subprocess.run(["apt-get", "--print-uris", "update"], capture_output=True, text=True, check=False)
    found = re.findall(r"^'(\S+/)dists/[a-z]+/main/binary-\w+/Packages", planned.stdout, re.MULTILINE)
    return [*known.stdout.split(), *sorted(found, key=lambda address: not address.endswith("/debian/"))]


def _download(suite: str, apt: Path) -> list[Path]:
    mirror, key = _source()
    for folder in ("lists/partial", "cache/archives/partial", "empty"):
        (apt / folder).mkdir(parents=True)
    (apt / "status").touch()
    (apt / "sources.list").write_text(f"deb [signed-by={key}] {mirror} {suite} main\n", encoding="utf-8")
    (apt / "apt.conf").write_text(_acquire_settings() + APT_CONF.format(apt=apt), encoding="utf-8")
    environment = {**os.environ, "APT_CONFIG": str(apt / "apt.conf"), "LC_ALL": "C"}
    for command in (["update"], ["-y", "--download-only", "install", *PACKAGES]):
        _apt(command, environment, f"{mirror} {suite}")
    return sorted((apt / "cache" / "archives").glob("*.deb"))


def _acquire_settings() -> str:
    """Return the machine's own proxy and TLS settings, which our configuration would hide."""
    dump = subprocess.run(
        ["apt-config", "dump", "--no-empty", "--format", '%F "%v";%n',
         "Acquire::http", "Acquire::https", "Acquire::ftp", "Acquire::ForceIPv4", "Acquire::ForceIPv6"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return dump.stdout


def _apt(command: list[str], environment: dict[str, str], where: str) -> None:
    """Run apt-get, again after a pause where the network may have hiccuped; what it has fetched it keeps."""
    for pause_s in (*PAUSES_S, None):
        done = subprocess.run(
            ["apt-get", "-qq", *command], env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            return
        if pause_s is None:
            complaint = "\n".join(line for line in done.stderr.splitlines() if line[:2] in ("E:", "W:"))
            raise BadInput(
                f"lab: apt-get {command[0]} from {where} failed {len(PAUSES_S) + 1} times; look at the network and the "
                f"mirror (CADENCIA_DEBIAN_MIRROR names another):\n{complaint or done.stderr}"
            )
        time.sleep(pause_s)


def _unpack(debs: list[Path], root: Path) -> None:
    for folder in ("bin", "sbin", "lib", "lib64"):
        (root / "usr" / folder).mkdir(parents=True)
        (root / folder).symlink_to(f"usr/{folder}")  # merged /usr, for packages from before the merge too
    for deb in debs:
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE) as archive:
            subprocess.run(
                ["tar", "-x", "-C", root, "--keep-directory-symlink", "--no-same-owner"],
                stdin=archive.stdout,
                check=True,
            )
        if archive.returncode:
            raise BadInput(f"lab: package {deb.name} is damaged (dpkg-deb ended with {archive.returncode}); try again")


def _link(prefix: Path) -> None:
    """Do what the packages' own installation would: link sounds and modules, let programs find their libraries."""
    root = prefix / "root"
    for language, folder in SOUNDS.items():
        link = root / "usr/share/asterisk/sounds" / language
        if not link.exists():
            link.symlink_to(folder)
    libraries = next((root / "usr/lib").glob("*/libc.so.6")).parent
    loader = next(libraries.glob("ld-linux*.so.*"))
    can_name = "--argv0" in subprocess.run([loader, "--help"], capture_output=True, text=True, check=False).stdout
    modules = next(path for path in (libraries, root / "usr/lib") if (path / "asterisk/modules").is_dir())
    (prefix / "modules").symlink_to((modules / "asterisk/modules").relative_to(prefix))
    (prefix / "bin").mkdir()
    for name, program in (("asterisk", "usr/sbin/asterisk"), ("sipp", "usr/bin/sipp")):
        script = prefix / "bin" / name
        script.write_text(
            WRAPPER.format(
                libraries=libraries.relative_to(root),
                loader=loader.relative_to(root),
                argv0='--argv0 "$0" ' if can_name else "",
                program=program,
            ),
            encoding="utf-8",
        )
        script.chmod(0o755)


def _version(program: Path, option: str) -> str:
    # SIPp ends with 99 after telling its version.
    done = subprocess.run([program, option], capture_output=True, text=True, check=False)
    lines = [line.strip(" .") for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    if not lines or not lines[0].startswith(("Asterisk", "SIPp")):
        raise BadInput(f"lab: {program} does not run on this machine: {' '.join(lines[:3])}; report the machine's kind")
    return lines[0]

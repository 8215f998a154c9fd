"""Kinds of attribute values: what is allowed, in words, and how the text becomes a value.

Each kind has `allowed`, the end of a refusal, and `parse`, which raises Misread with what was
observed. Kinds know nothing of elements; the tables put the two together.
"""

import ipaddress
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol

from mirror.config.collector import nearest
from mirror.errors import UnitRefused
from mirror.vocabulary.crontab import Crontab
from mirror.vocabulary.said import Misread, Said, say
from mirror.vocabulary.units import DurationUnit, SizeUnit, parse_duration_ms, parse_size_bytes

IDENT = re.compile(r"[A-Za-z0-9_.:-]{1,64}", re.ASCII)
HOST_NAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?", re.ASCII)
VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
HOST_NAME_CHARS_MAX = 63  # uname has 64 bytes, one of them is zero
UNIT_NAME_BYTES_MAX = 255  # systemd's limit; that of a process is checked where both are known
PATH_BYTES_MAX = 4095
# POSIX classes are allowed in a regexpath; Python's own expressions do not know them.
POSIX_CLASS = re.compile(r"\[:[a-z]+:\]")


class Kind(Protocol):
    """What every kind offers."""

    @property
    def allowed(self) -> Said:
        """What may be written, for a sentence."""

    def parse(self, text: str) -> object:
        """Turn the text into a value. Raises: Misread with what was observed."""


def _written(text: str) -> Said:
    return say("kind.quoted", text=text) if text else say("kind.empty")


@dataclass(frozen=True, slots=True)
class Text:
    """Any text; empty only where that means something."""

    empty: bool = False
    allowed: Said = say("kind.text")

    def parse(self, text: str) -> str:
        """See Kind."""
        if not text.strip() and not self.empty:
            raise Misread(say("kind.empty"))
        return text


@dataclass(frozen=True, slots=True)
class Schedule:
    """Times in crontab's notation, or none."""

    allowed: Said = say("kind.schedule")

    def parse(self, text: str) -> Crontab | None:
        """See Kind."""
        return None if text.strip() == "none" else Crontab.parse(text)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]

    @property
    def allowed(self) -> Said:
        """See Kind."""
        return say("kind.word", words=list(self.words))

    def parse(self, text: str) -> str:
        """See Kind."""
        if text not in self.words:
            hint = nearest(text, self.words)
            raise Misread(say("kind.none_of", text=text, nearest=hint) if text else _written(text))
        return text


@dataclass(frozen=True, slots=True)
class Switch:
    """Two words, made a truth value."""

    on: str = "on"
    off: str = "off"

    @property
    def allowed(self) -> Said:
        """See Kind."""
        return say("kind.switch", on=self.on, off=self.off)

    def parse(self, text: str) -> bool:
        """See Kind."""
        return Choice((self.on, self.off)).parse(text) == self.on


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number within bounds, both included. hexadecimal: 0x10 is understood too."""

    minimum: int
    maximum: int
    hexadecimal: bool = False

    @property
    def allowed(self) -> Said:
        """See Kind."""
        return say("kind.number", minimum=self.minimum, maximum=self.maximum)

    def parse(self, text: str) -> int:
        """See Kind."""
        pattern = r"-?[0-9]{1,18}|0x[0-9A-Fa-f]{1,15}" if self.hexadecimal else r"-?[0-9]{1,18}"
        if not re.fullmatch(pattern, text.strip(), re.ASCII):
            raise Misread(say("kind.not_whole", text=text) if text else _written(text))
        value = int(text, 16 if "0x" in text else 10)
        if not self.minimum <= value <= self.maximum:
            raise Misread(say("kind.outside", value=value))
        return value


@dataclass(frozen=True, slots=True)
class Duration:
    """A duration, in milliseconds once parsed. unit: of a bare number."""

    unit: DurationUnit
    minimum_ms: int = 0

    @property
    def allowed(self) -> Said:
        """See Kind."""
        if self.minimum_ms:
            return say("kind.duration_least", unit=self.unit, minimum_ms=self.minimum_ms)
        return say("kind.duration", unit=self.unit)

    def parse(self, text: str) -> int:
        """See Kind."""
        try:
            value = parse_duration_ms(text, self.unit)
        except UnitRefused as error:
            raise Misread(
                say("kind.wrong", text=text, observed=error.facts["observed"])
            ) from error
        if value < self.minimum_ms:
            raise Misread(say("kind.outside_ms", value=value))
        return value


@dataclass(frozen=True, slots=True)
class Size:
    """A size, in bytes once parsed. unit: of a bare number."""

    unit: SizeUnit

    @property
    def allowed(self) -> Said:
        """See Kind."""
        return say("kind.size", unit=self.unit)

    def parse(self, text: str) -> int:
        """See Kind."""
        try:
            return parse_size_bytes(text, self.unit)
        except UnitRefused as error:
            raise Misread(
                say("kind.wrong", text=text, observed=error.facts["observed"])
            ) from error


@dataclass(frozen=True, slots=True)
class Address:
    """An IPv4 or IPv6 address, or a host name; an IPv6 address may stand in brackets."""

    allowed: Said = say("kind.address")

    def parse(self, text: str) -> str:
        """See Kind. Literal addresses come back in their one canonical form."""
        stripped = text.strip()
        if not stripped:
            raise Misread(say("kind.empty"))
        bare = stripped[1:-1] if stripped.startswith("[") and stripped.endswith("]") else stripped
        try:
            return str(ipaddress.ip_address(bare))
        except ValueError:
            pass
        looks_numeric = ":" in bare or re.fullmatch(r"[0-9./]+", bare)
        if looks_numeric or not HOST_NAME.fullmatch(bare):
            raise Misread(say("kind.quoted", text=text))
        return bare


@dataclass(frozen=True, slots=True)
class Netmask:
    """An IPv4 netmask or a prefix length; the prefix length once parsed."""

    allowed: Said = say("kind.netmask")

    def parse(self, text: str) -> int:
        """See Kind."""
        bare = text.strip().removeprefix("/")
        try:
            if bare.isascii() and bare.isdigit():
                return Number(1, 128).parse(bare)
            return ipaddress.IPv4Network(f"0.0.0.0/{bare}").prefixlen
        except ValueError as error:
            raise Misread(_written(text)) from error


@dataclass(frozen=True, slots=True)
class Ident:
    """A label used in resource names and rules."""

    allowed: Said = say("kind.ident")

    def parse(self, text: str) -> str:
        """See Kind."""
        if not IDENT.fullmatch(text):
            raise Misread(_written(text))
        return text


@dataclass(frozen=True, slots=True)
class VariableName:
    """Name of a macro or of an environment variable."""

    allowed: Said = say("kind.variable")

    def parse(self, text: str) -> str:
        """See Kind."""
        if not VARIABLE_NAME.fullmatch(text):
            raise Misread(_written(text))
        return text


@dataclass(frozen=True, slots=True)
class Directory:
    """An absolute directory, without '..'; spaces are allowed; '/' itself is not."""

    allowed: Said = say("kind.directory")

    def parse(self, text: str) -> str:
        """See Kind. Doubled and trailing slashes are dropped."""
        if not text.strip():
            raise Misread(say("kind.empty"))
        if not text.startswith("/"):
            raise Misread(say("kind.relative", text=text))
        path = PurePosixPath(re.sub(r"/+", "/", text))
        if ".." in path.parts:
            raise Misread(say("kind.upwards", text=text))
        if len(path.parts) == 1 or len(str(path).encode()) > PATH_BYTES_MAX:
            raise Misread(say("kind.quoted", text=text))
        return str(path)


@dataclass(frozen=True, slots=True)
class FilePath:
    """An absolute path of a file, without '..'."""

    allowed: Said = say("kind.file")

    def parse(self, text: str) -> str:
        """See Kind."""
        path = PurePosixPath(text)
        if not path.is_absolute() or ".." in path.parts or text.endswith("/"):
            raise Misread(_written(text))
        return str(path)


@dataclass(frozen=True, slots=True)
class Device:
    """An absolute path, or off; "" once parsed when it is off."""

    allowed: Said = say("kind.device")

    def parse(self, text: str) -> str:
        """See Kind."""
        return "" if text == "off" else FilePath().parse(text)


@dataclass(frozen=True, slots=True)
class HostLabel:
    """A name that this host may show as its own (not an address)."""

    allowed: Said = say("kind.host_label")

    def parse(self, text: str) -> str:
        """See Kind."""
        if not HOST_NAME.fullmatch(text) or "_" in text or len(text) > HOST_NAME_CHARS_MAX:
            raise Misread(_written(text))
        return text


@dataclass(frozen=True, slots=True)
class RelativePath:
    """A path beneath a directory that the row's own words name."""

    allowed: Said = say("kind.beneath")

    def parse(self, text: str) -> str:
        """See Kind."""
        if not text.strip():
            raise Misread(say("kind.empty"))
        path = PurePosixPath(text)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise Misread(say("kind.quoted", text=text))
        return str(path)


@dataclass(frozen=True, slots=True)
class Regex:
    """A POSIX extended regular expression. negation: a leading '!' turns it round."""

    negation: bool = False

    @property
    def allowed(self) -> Said:
        """See Kind."""
        return say("kind.regex_negated" if self.negation else "kind.regex")

    def parse(self, text: str) -> str:
        """See Kind. Returned as written: the user of the expression compiles it."""
        expression = text.removeprefix("!") if self.negation else text
        if not expression:
            raise Misread(say("kind.empty"))
        try:
            re.compile(POSIX_CLASS.sub("a", expression))
        except re.error as error:
            raise Misread(say("kind.wrong", text=text, observed=error.msg)) from error
        return text


@dataclass(frozen=True, slots=True)
class ProcessLabel:
    """The name of a process, of a systemd unit, or a label beside nameregex."""

    allowed: Said = say("kind.process")

    def parse(self, text: str) -> str:
        """See Kind."""
        if not text.strip() or "/" in text or len(text.encode()) > UNIT_NAME_BYTES_MAX:
            raise Misread(_written(text))
        return text

"""Kinds of attribute values: what is allowed, in words, and how the text becomes a value.

Each kind has `allowed`, the end of a refusal, and `parse`, which raises ValueError with what was
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
from mirror.vocabulary.said import say
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
    def allowed(self) -> str:
        """What may be written, for a sentence."""

    def parse(self, text: str) -> object:
        """Turn the text into a value. Raises: ValueError with what was observed."""


@dataclass(frozen=True, slots=True)
class Text:
    """Any text; empty only where that means something."""

    empty: bool = False
    allowed: str = say("kind.text")

    def parse(self, text: str) -> str:
        """See Kind."""
        if not text.strip() and not self.empty:
            raise ValueError("empty")
        return text


@dataclass(frozen=True, slots=True)
class Schedule:
    """Times in crontab's notation, or none."""

    allowed: str = 'five fields as in crontab ("0 4 * * *"), @daily and its like, or none'

    def parse(self, text: str) -> Crontab | None:
        """See Kind."""
        return None if text.strip() == "none" else Crontab.parse(text)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]

    @property
    def allowed(self) -> str:
        """See Kind."""
        return say("kind.word", words=list(self.words))

    def parse(self, text: str) -> str:
        """See Kind."""
        if text not in self.words:
            observed = f'"{text}"' if text else "empty"
            raise ValueError(observed + nearest(text, self.words))
        return text


@dataclass(frozen=True, slots=True)
class Switch:
    """Two words, made a truth value."""

    on: str = "on"
    off: str = "off"

    @property
    def allowed(self) -> str:
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
    def allowed(self) -> str:
        """See Kind."""
        return say("kind.number", minimum=self.minimum, maximum=self.maximum)

    def parse(self, text: str) -> int:
        """See Kind."""
        pattern = r"-?[0-9]{1,18}|0x[0-9A-Fa-f]{1,15}" if self.hexadecimal else r"-?[0-9]{1,18}"
        if not re.fullmatch(pattern, text.strip(), re.ASCII):
            raise ValueError(f'"{text}" is no whole number' if text else "empty")
        value = int(text, 16 if "0x" in text else 10)
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"{value}")
        return value


@dataclass(frozen=True, slots=True)
class Duration:
    """A duration, in milliseconds once parsed. unit: of a bare number."""

    unit: DurationUnit
    minimum_ms: int = 0

    @property
    def allowed(self) -> str:
        """See Kind."""
        least = f", at least {self.minimum_ms} ms" if self.minimum_ms else ""
        return f"a whole number, alone ({self.unit}) or followed by d h m s ms us{least}"

    def parse(self, text: str) -> int:
        """See Kind."""
        try:
            value = parse_duration_ms(text, self.unit)
        except UnitRefused as error:
            raise ValueError(f'"{text}": {error.facts["observed"]}') from error
        if value < self.minimum_ms:
            raise ValueError(f"{value} ms")
        return value


@dataclass(frozen=True, slots=True)
class Size:
    """A size, in bytes once parsed. unit: of a bare number."""

    unit: SizeUnit

    @property
    def allowed(self) -> str:
        """See Kind."""
        return f"a whole number, alone ({self.unit}) or followed by B K M G T"

    def parse(self, text: str) -> int:
        """See Kind."""
        try:
            return parse_size_bytes(text, self.unit)
        except UnitRefused as error:
            raise ValueError(f'"{text}": {error.facts["observed"]}') from error


@dataclass(frozen=True, slots=True)
class Address:
    """An IPv4 or IPv6 address, or a host name; an IPv6 address may stand in brackets."""

    allowed: str = say("kind.address")

    def parse(self, text: str) -> str:
        """See Kind. Literal addresses come back in their one canonical form."""
        stripped = text.strip()
        if not stripped:
            raise ValueError("empty")
        bare = stripped[1:-1] if stripped.startswith("[") and stripped.endswith("]") else stripped
        try:
            return str(ipaddress.ip_address(bare))
        except ValueError:
            pass
        looks_numeric = ":" in bare or re.fullmatch(r"[0-9./]+", bare)
        if looks_numeric or not HOST_NAME.fullmatch(bare):
            raise ValueError(f'"{text}"')
        return bare


@dataclass(frozen=True, slots=True)
class Netmask:
    """An IPv4 netmask or a prefix length; the prefix length once parsed."""

    allowed: str = "a netmask such as 255.255.255.0, or a prefix length such as 24"

    def parse(self, text: str) -> int:
        """See Kind."""
        bare = text.strip().removeprefix("/")
        try:
            if bare.isascii() and bare.isdigit():
                return Number(1, 128).parse(bare)
            return ipaddress.IPv4Network(f"0.0.0.0/{bare}").prefixlen
        except ValueError as error:
            raise ValueError(f'"{text}"' if text else "empty") from error


@dataclass(frozen=True, slots=True)
class Ident:
    """A label used in resource names and rules."""

    allowed: str = "1 to 64 letters, digits, '_', '-', '.' or ':'"

    def parse(self, text: str) -> str:
        """See Kind."""
        if not IDENT.fullmatch(text):
            raise ValueError(f'"{text}"' if text else "empty")
        return text


@dataclass(frozen=True, slots=True)
class VariableName:
    """Name of a macro or of an environment variable."""

    allowed: str = "a letter or '_', then letters, digits or '_'"

    def parse(self, text: str) -> str:
        """See Kind."""
        if not VARIABLE_NAME.fullmatch(text):
            raise ValueError(f'"{text}"' if text else "empty")
        return text


@dataclass(frozen=True, slots=True)
class Directory:
    """An absolute directory, without '..'; spaces are allowed; '/' itself is not."""

    allowed: str = say("kind.directory")

    def parse(self, text: str) -> str:
        """See Kind. Doubled and trailing slashes are dropped."""
        if not text.strip():
            raise ValueError("empty")
        if not text.startswith("/"):
            raise ValueError(f'relative path "{text}"')
        path = PurePosixPath(re.sub(r"/+", "/", text))
        if ".." in path.parts:
            raise ValueError(f'".." in "{text}"')
        if len(path.parts) == 1 or len(str(path).encode()) > PATH_BYTES_MAX:
            raise ValueError(f'"{text}"')
        return str(path)


@dataclass(frozen=True, slots=True)
class FilePath:
    """An absolute path of a file, without '..'."""

    allowed: str = "an absolute path, such as /etc/fence-password"

    def parse(self, text: str) -> str:
        """See Kind."""
        path = PurePosixPath(text)
        if not path.is_absolute() or ".." in path.parts or text.endswith("/"):
            raise ValueError(f'"{text}"' if text else "empty")
        return str(path)


@dataclass(frozen=True, slots=True)
class Device:
    """An absolute path, or off; "" once parsed when it is off."""

    allowed: str = "off, or the path of a device, such as /dev/watchdog"

    def parse(self, text: str) -> str:
        """See Kind."""
        return "" if text == "off" else FilePath().parse(text)


@dataclass(frozen=True, slots=True)
class HostLabel:
    """A name that this host may show as its own (not an address)."""

    allowed: str = "a host name of 1 to 63 letters, digits, '-' or '.'"

    def parse(self, text: str) -> str:
        """See Kind."""
        if not HOST_NAME.fullmatch(text) or "_" in text or len(text) > HOST_NAME_CHARS_MAX:
            raise ValueError(f'"{text}"' if text else "empty")
        return text


@dataclass(frozen=True, slots=True)
class RelativePath:
    """A path beneath a directory that the row's own words name."""

    allowed: str = "a path relative to the replicated directory, without '..'"

    def parse(self, text: str) -> str:
        """See Kind."""
        if not text.strip():
            raise ValueError("empty")
        path = PurePosixPath(text)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise ValueError(f'"{text}"')
        return str(path)


@dataclass(frozen=True, slots=True)
class Regex:
    """A POSIX extended regular expression. negation: a leading '!' turns it round."""

    negation: bool = False

    @property
    def allowed(self) -> str:
        """See Kind."""
        return "a POSIX extended regular expression" + (", after '!' or not" * self.negation)

    def parse(self, text: str) -> str:
        """See Kind. Returned as written: the user of the expression compiles it."""
        expression = text.removeprefix("!") if self.negation else text
        if not expression:
            raise ValueError("empty")
        try:
            re.compile(POSIX_CLASS.sub("a", expression))
        except re.error as error:
            raise ValueError(f'"{text}": {error.msg}') from error
        return text


@dataclass(frozen=True, slots=True)
class ProcessLabel:
    """The name of a process, of a systemd unit, or a label beside nameregex."""

    allowed: str = "a name of 1 to 255 bytes, without '/'"

    def parse(self, text: str) -> str:
        """See Kind."""
        if not text.strip() or "/" in text or len(text.encode()) > UNIT_NAME_BYTES_MAX:
            raise ValueError(f'"{text}"' if text else "empty")
        return text

"""The fields of a message, read from the text of the table; checked when this module is imported.

What the generator and the codec share. It knows names and types, and no bytes.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from mirror.wire.schema import MESSAGES, RETIRED, STRUCTS, Coder, Message

ID_BYTES = 16
NAME_BYTES_MAX = 255
TEXT_BYTES_MAX = 4096

# Width in bytes of what has always the same; all little-endian.
INTEGER_BYTES = {"u8": 1, "u16": 2, "u32": 4, "u64": 8, "i32": 4, "i64": 8}
# Width of the length, or of the count, before what varies.
LENGTH_BYTES = {"name": 2, "text": 2, "bytes": 4}
COUNT_BYTES = 4


@dataclass(frozen=True, slots=True)
class Field:
    """One field: `type` as in the table; `struct` is set for a list only, `type` is then list."""

    name: str
    type: str
    struct: str = ""

    @property
    def size_bytes_min(self) -> int:
        """Bytes of the field when it is as short as it may be."""
        if self.type == "id":
            return ID_BYTES
        if self.type == "list":
            return COUNT_BYTES
        if self.type == "name":  # a name has at least one byte
            return LENGTH_BYTES["name"] + 1
        return INTEGER_BYTES.get(self.type) or LENGTH_BYTES[self.type]


def parse_fields(text: str) -> tuple[Field, ...]:
    """Read `epoch:u64 root:u8 places:list:Place`; an unknown type is an AssertionError."""
    parsed = []
    for part in text.split():
        name, kind, *rest = part.split(":")
        known = kind in INTEGER_BYTES or kind in LENGTH_BYTES or kind in {"id", "list"}
        assert name.isidentifier(), f"schema: {part!r} is no field"
        assert known, f"schema: {part!r} has an unknown type"
        assert bool(rest) == (kind == "list"), f"schema: {part!r}: a struct is for a list"
        parsed.append(Field(name, kind, rest[0] if rest else ""))
    names = [field.name for field in parsed]
    assert len(set(names)) == len(names), f"schema: a field twice in {text!r}"
    return tuple(parsed)


def size_bytes_min(fields: Iterable[Field]) -> int:
    """Bytes of a payload with these fields when every one is as short as it may be."""
    return sum(field.size_bytes_min for field in fields)


STRUCT_FIELDS = {name: parse_fields(text) for name, text in STRUCTS.items()}
MESSAGE_FIELDS = {message.name: parse_fields(message.fields) for message in MESSAGES}
BY_NAME: dict[str, Message] = {message.name: message for message in MESSAGES}
BY_CODE: dict[int, Message] = {message.code: message for message in MESSAGES}


def _check_table() -> None:
    codes = [row.code for row in MESSAGES] + [row.code for row in RETIRED]
    assert len(set(codes)) == len(codes), "schema: a code is used twice; codes are never reused"
    assert len(BY_NAME) == len(MESSAGES), "schema: a name is used twice"
    for message in MESSAGES:
        fields = MESSAGE_FIELDS[message.name]
        assert not message.answer or message.answer in BY_NAME, f"{message.name}: unknown answer"
        lists = [field for field in fields if field.type == "list"]
        assert all(field.struct in STRUCTS for field in lists), f"{message.name}: unknown struct"
        assert not (lists and message.coder is Coder.NATIVE), f"{message.name}: C knows no lists"


_check_table()

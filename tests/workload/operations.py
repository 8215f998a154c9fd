"""The words: an operation is a map that a line of JSON can hold, so that a log replays it.

    {"do": "write", "slot": 3, "offset": 4096, "length": 700, "tag": 91}

Names that are not UTF-8 are escaped as os.fsdecode does; other bytes are in hexadecimal. `slot` is
a number for an open file. `user` is absent for root, else [uid, gid].
"""

import hashlib
from typing import Any

Operation = dict[str, Any]
Outcome = dict[str, Any]  # {"errno": 17} or {"ok": whatever the operation answers}

# Who works here, besides root: uid and gid. None is in a second group.
USERS = ((1234, 4321), (2345, 4321), (1234, 77))


def pattern(tag: int, length: int) -> bytes:
    """The bytes that a write of this tag writes; tag 0: zeros, as a hole reads."""
    if tag == 0:
        return bytes(length)
    return hashlib.shake_128(tag.to_bytes(8, "little")).digest(length)


def digest(data: bytes) -> str:
    """A short name for bytes, in outcomes."""
    return f"{len(data)}:{hashlib.blake2b(data, digest_size=8).hexdigest()}"


def user_of(operation: Operation) -> tuple[int, int]:
    """Who does it: uid, gid."""
    uid, gid = operation.get("user", (0, 0))
    return uid, gid

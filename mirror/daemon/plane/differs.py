"""Whether a file is otherwise at the target, as far as it is going to be copied."""

from __future__ import annotations

import errno
import os

from mirror.adapters.native import Connection, Plane, block_hash
from mirror.core.reintegration.data import pieces_of
from mirror.daemon.plane.files import File
from mirror.daemon.plane.objects import opened
from mirror.vocabulary.places import REGION_BYTES
from mirror.wire import codec

COMPARE_BYTES = 1 << 20


def differs(plane: Plane, connection: Connection, file: File) -> bool:
    """Whether any byte of the ranges, or the size, differs from the target's.

    Without a lock: a change made meanwhile may change the answer. Raises: OSError (EREMOTEIO: the
    target cannot read it).
    """
    with opened(plane, file.root, file.handle, os.O_RDONLY) as fd:
        ranges = ((0, max(1, os.fstat(fd).st_size)),) if file.whole else file.ranges
        if not ranges:
            return _ask_hashes(connection, file, 0, 1)[1] != os.fstat(fd).st_size
        for offset, size in pieces_of(ranges, COMPARE_BYTES):
            data = os.pread(fd, size, offset)
            theirs, their_size = _ask_hashes(connection, file, offset, size)
            ours = b"".join(
                block_hash(data[at : at + REGION_BYTES])
                for at in range(0, len(data), REGION_BYTES)
            )
            if ours != theirs:
                return True
            if their_size != os.fstat(fd).st_size:
                return True
            if not data:
                return False
    return False


def _ask_hashes(connection: Connection, file: File, offset: int, size: int) -> tuple[bytes, int]:
    question = codec.encode(
        "HashRange",
        root=file.root,
        id=file.id,
        offset_bytes=offset,
        size_bytes=size,
        block_bytes=REGION_BYTES,
    )
    connection.send(codec.code_of("HashRange"), question)
    answer = codec.decode(*connection.receive())
    if answer.name != "Hashes" or answer["error"] != 0:
        error = answer.fields.get("error", errno.EPROTO)
        raise OSError(errno.EREMOTEIO, os.strerror(error))
    return answer["hashes"], answer["size_bytes"]

"""Operations on attributes, extended attributes, ACLs and flags."""

import os
import stat

from tests.workload import acl, syscalls
from tests.workload.acl import Acl
from tests.workload.choices import MODES, XATTRS, Choices, Maker
from tests.workload.operations import USERS, Operation

_XATTR_BYTES_MAX = 1500  # of an object; ext4 has one block for all


def _chmod(gen: Choices) -> Operation | None:
    path = gen.some_path(lambda inode: not inode.is_kind(stat.S_IFLNK))
    if path is None:
        return None
    return {
        "do": "chmod",
        "path": path,
        "mode": gen.random.choice(MODES),
        **gen.some_user(),
    }


def _fchmod(gen: Choices) -> Operation | None:
    found = gen.some_slot(lambda _: True)
    if found is None:
        return None
    return {"do": "fchmod", "slot": found[0], "mode": gen.random.choice(MODES)}


def _chown(gen: Choices) -> Operation | None:
    uid, gid = gen.random.choice((*USERS, (0, 0), (1234, -1), (-1, 77)))
    return {"do": "chown", "path": gen.any_path(), "uid": uid, "gid": gid}


def _utimens(gen: Choices) -> Operation | None:
    atime_ns, mtime_ns = (gen.random.randrange(-(10**18), 4 * 10**18) for _ in range(2))
    return {"do": "utimens", "path": gen.any_path(), "atime_ns": atime_ns, "mtime_ns": mtime_ns}


def _setxattr(gen: Choices) -> Operation | None:
    path = gen.some_path()
    if path is None:
        return None
    name = gen.random.choice(XATTRS)
    value = gen.random.randbytes(gen.random.choice((0, 1, 30, 300)))
    held = sum(len(v) + 256 for v in gen.model.tree.lookup(path).xattrs.values())
    if held + len(value) > _XATTR_BYTES_MAX:
        return {"do": "removexattr", "path": path, "name": name}
    flags = gen.random.choice((0, 0, 0, os.XATTR_CREATE, os.XATTR_REPLACE))
    return {
        "do": "setxattr",
        "path": path,
        "name": name,
        "value": value.hex(),
        "flags": flags,
    }


def _removexattr(gen: Choices) -> Operation | None:
    name, path = gen.random.choice((*XATTRS, acl.ACCESS, acl.DEFAULT)), gen.any_path()
    there = gen.standing_at(path)
    # Of a file the kernel says that a default ACL is gone, and asks no FUSE server, which would
    # refuse that for a file that nobody may change.
    if name == acl.DEFAULT and there is not None and there.fixed and not there.is_directory:
        name = acl.ACCESS
    return {"do": "removexattr", "path": path, "name": name}


def _setacl(gen: Choices) -> Operation | None:
    bits = [gen.random.randrange(8) for _ in range(6)]
    named = gen.random.random() < 0.7
    value = Acl(
        owner=bits[0],
        group=bits[1],
        other=bits[2],
        users=((1234, bits[3]),) if named else (),
        groups=((77, bits[4]), (4321, bits[3])) if named and bits[5] > 3 else (),
        mask=bits[5] if named else None,
    )
    name = gen.random.choice((acl.ACCESS, acl.ACCESS, acl.DEFAULT))
    path = gen.some_path(lambda inode: inode.is_directory or name == acl.ACCESS)
    if path is None:
        return None
    return {
        "do": "setxattr",
        "path": path,
        "name": name,
        "flags": 0,
        "value": value.to_bytes().hex(),
    }


def _setflags(gen: Choices) -> Operation | None:
    fixed = [path for path, inode in gen.model.tree.walk() if inode.fixed]
    if fixed:
        return {"do": "setflags", "path": gen.random.choice(fixed), "flags": 0}
    # With a write-back cache, what is dirty when the flag is set cannot be written any more:
    # chattr of a file that is open for writing is a known difference.
    in_use = {slot.inode.number for slot in gen.model.slots.values()}
    path = gen.some_path(lambda inode: inode.is_file and inode.number not in in_use)
    if path is None:
        return None
    flags = gen.random.choice((syscalls.FLAG_IMMUTABLE, syscalls.FLAG_APPEND))
    return {"do": "setflags", "path": path, "flags": flags}


def _disturb_fixed(gen: Choices) -> Operation | None:
    """What an immutable or append-only file refuses.

    Only for one reason at a time: the mount may name the other.
    """
    fixed = [path for path, inode in gen.model.tree.walk() if inode.fixed]
    if not fixed:
        return None
    path, to = gen.random.choice(fixed), gen.new_path()
    if gen.standing_at(to) is not None:
        return None
    operation: Operation = gen.random.choice(
        (
            {"do": "unlink", "path": path},
            {"do": "chmod", "path": path, "mode": 0o600},
            {"do": "truncate", "path": path, "size": 0},
            {"do": "link", "path": path, "to": to},
            {"do": "rename", "path": path, "to": to, "flags": 0},
            {"do": "chown", "path": path, "uid": 5, "gid": 5},
            {"do": "utimens", "path": path, "atime_ns": 0, "mtime_ns": 0},
        )
    )
    return operation


WEIGHTS: tuple[tuple[Maker, int], ...] = (
    *((_chmod, 4), (_fchmod, 2), (_chown, 4), (_utimens, 4), (_setxattr, 5), (_removexattr, 3)),
    *((_setacl, 4), (_setflags, 2), (_disturb_fixed, 4)),
)

"""One directory and its open files: expect(operation) -> what it must answer."""

import errno
from collections.abc import Callable
from dataclasses import replace

from mirror.adapters.compare import Difference, Entry, compare
from mirror.adapters.compare.digest import _TYPES as TYPES
from mirror.adapters.compare.digest import flag_letters
from tests.workload.model import attributes, files, names
from tests.workload.model.files import Slot
from tests.workload.model.tree import Inode, Refused, Tree
from tests.workload.operations import Operation, Outcome


def _list(tree: Tree, op: Operation) -> list[str]:
    inode = tree.lookup(op["path"])
    if not inode.is_directory:
        raise Refused(errno.ENOTDIR)
    return sorted(inode.entries)


_IN_TREE: dict[str, Callable[[Tree, Operation], object]] = {
    "mkdir": names.mkdir,
    "mknod": names.mknod,
    "symlink": names.symlink,
    "link": names.link,
    "unlink": names.unlink,
    "rmdir": names.rmdir,
    "rename": names.rename,
    "truncate": files.truncate,
    "chmod": lambda tree, op: attributes.change_mode(tree.lookup(op["path"]), op),
    "chown": attributes.chown,
    "utimens": attributes.utimens,
    "setxattr": attributes.set_xattr,
    "removexattr": attributes.remove_xattr,
    "getxattr": attributes.get_xattr,
    "listxattr": lambda tree, op: sorted(tree.lookup(op["path"]).all_xattrs()),
    "setflags": attributes.set_flags,
    "stat": lambda tree, op: attributes.describe(tree.lookup(op["path"])),
    "list": _list,
    "readlink": lambda tree, op: tree.lookup(op["path"]).target,
    "syncdir": lambda _, __: None,
}
_IN_SLOTS: dict[str, Callable[[dict[int, Slot], Operation], object]] = {
    "write": files.write,
    "read": files.read,
    "ftruncate": files.ftruncate,
    "fallocate": files.fallocate,
    "copy": files.copy,
    "map": files.store,
    "fsync": lambda _, __: None,
    "fchmod": lambda slots, op: attributes.change_mode(slots[op["slot"]].inode, op),
    "fstat": lambda slots, op: attributes.describe(slots[op["slot"]].inode),
}


class Model:
    """What must be there."""

    def __init__(self) -> None:
        self.tree = Tree()
        self.slots: dict[int, Slot] = {}

    def expect(self, op: Operation) -> Outcome:
        """Do it in the model; return what the system must answer."""
        try:
            return {"ok": self._do(op)}
        except Refused as refused:
            return {"errno": refused.errno}

    def _do(self, op: Operation) -> object:
        do = op["do"]
        if do in _IN_TREE:
            return _IN_TREE[do](self.tree, op)
        if do in _IN_SLOTS:
            return _IN_SLOTS[do](self.slots, op)
        if do == "open":
            files.open_file(self.tree, self.slots, op)
        else:
            assert do == "close", op
            del self.slots[op["slot"]]
        return None

    def forget_slots(self) -> None:
        """The application has died: its files are closed."""
        self.slots.clear()

    def adopt(self, path: str, data: bytes, entry: Entry) -> None:
        """A file is as it was found: an operation on it happened in part."""
        inode = self.tree.lookup(path)
        inode.content.resize(0)
        inode.content.write(0, data)
        inode.content.resize(len(data))
        inode.set_permissions(entry.mode)
        inode.mtime_ns = None

    def differences(self, found: list[Entry]) -> list[Difference]:
        """Compare with what is there. Holes and unknown times are not the model's affair."""
        there = {entry.path: entry for entry in found}
        expected = []
        for entry, inode in self._entries():
            other = there.get(entry.path)
            if other is not None:
                entry = replace(entry, data=other.data)  # noqa: PLW2901 - the same entry
                if inode.mtime_ns is None:
                    entry = replace(entry, mtime_ns=other.mtime_ns)  # noqa: PLW2901 - as above
            expected.append(entry)
        return compare(expected, found)

    def _entries(self) -> list[tuple[Entry, Inode]]:
        first: dict[int, str] = {}
        found = []
        for path, inode in self.tree.walk():
            several = not inode.is_directory and inode.names > 1
            xattrs = sorted(inode.all_xattrs().items())
            entry = Entry(
                path=path,
                type=TYPES[inode.mode & 0o170000],
                mode=inode.mode & 0o7777,
                uid=inode.uid,
                gid=inode.gid,
                mtime_ns=inode.mtime_ns or 0,
                size_bytes=inode.content.size if inode.is_file else 0,
                blocks=inode.content.digests() if inode.is_file else (),
                target=inode.target,
                device=inode.rdev,
                xattrs=tuple((name, value.hex()) for name, value in xattrs),
                object=first.setdefault(inode.number, path) if several else "",
                flags=flag_letters(inode.flags),
            )
            found.append((entry, inode))
        return found

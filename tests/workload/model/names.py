"""Names come, go and move."""

import errno
import stat

from tests.workload.model.tree import Inode, Refused, Tree, check_name, contains
from tests.workload.operations import Operation, user_of
from tests.workload.syscalls import RENAME_EXCHANGE, RENAME_NOREPLACE


def create(tree: Tree, op: Operation, mode: int) -> Inode:
    """A new object at op["path"], with mode (type bits included) as the caller gave it."""
    directory, name = tree.parent(op["path"])
    if name in directory.entries:
        raise Refused(errno.EEXIST)
    if directory.fixed:
        raise Refused(errno.EPERM)
    uid, gid = user_of(op)
    setgid_directory = bool(directory.mode & stat.S_ISGID)
    new_gid = directory.gid if setgid_directory else gid
    kind, permissions = stat.S_IFMT(mode), stat.S_IMODE(mode)
    if kind == stat.S_IFDIR:
        permissions &= 0o1777
        permissions |= stat.S_ISGID if setgid_directory else 0
    elif (
        setgid_directory
        and permissions & (stat.S_ISGID | stat.S_IXGRP) == stat.S_ISGID | stat.S_IXGRP
        and uid != 0
        and gid != new_gid
    ):
        permissions &= ~stat.S_ISGID
    inode = tree.new_inode(kind, uid, new_gid)
    if kind == stat.S_IFLNK:
        permissions = 0o777
    elif directory.default is not None:
        inherited = directory.default.inherited(permissions)
        permissions = permissions & 0o7000 | inherited.mode
        inode.access = inherited if inherited.mask is not None else None
        inode.default = directory.default if kind == stat.S_IFDIR else None
    else:
        permissions &= ~op.get("umask", 0o022)
    inode.set_permissions(permissions)
    directory.entries[name] = inode
    directory.mtime_ns = None
    return inode


def mkdir(tree: Tree, op: Operation) -> None:
    """mkdir(2)."""
    create(tree, op, stat.S_IFDIR | op["mode"])


def mknod(tree: Tree, op: Operation) -> None:
    """mknod(2)."""
    create(tree, op, op["mode"]).rdev = op["rdev"]


def symlink(tree: Tree, op: Operation) -> None:
    """symlink(2)."""
    create(tree, op, stat.S_IFLNK | 0o777).target = op["target"]


def link(tree: Tree, op: Operation) -> None:
    """link(2)."""
    inode = tree.lookup(op["path"])
    directory, name = tree.parent(op["to"])
    if name in directory.entries:
        raise Refused(errno.EEXIST)
    if inode.fixed or inode.is_directory:
        raise Refused(errno.EPERM)
    directory.entries[name] = inode
    directory.mtime_ns = None
    inode.names += 1


def unlink(tree: Tree, op: Operation) -> None:
    """unlink(2)."""
    directory, name = tree.parent(op["path"])
    inode = tree.lookup(op["path"])
    if inode.fixed:
        raise Refused(errno.EPERM)
    if inode.is_directory:
        raise Refused(errno.EISDIR)
    del directory.entries[name]
    directory.mtime_ns = None
    inode.names -= 1


def rmdir(tree: Tree, op: Operation) -> None:
    """rmdir(2)."""
    directory, name = tree.parent(op["path"])
    inode = tree.lookup(op["path"])
    if inode.fixed:
        raise Refused(errno.EPERM)
    if not inode.is_directory:
        raise Refused(errno.ENOTDIR)
    if inode.entries:
        raise Refused(errno.ENOTEMPTY)
    del directory.entries[name]
    directory.mtime_ns = None


def rename(tree: Tree, op: Operation) -> None:
    """renameat2(2), its checks in the order of the kernel's."""
    source, name = tree.directory_of(op["path"])
    target, new_name = tree.directory_of(op["to"])
    check_name(name)
    exchange = op["flags"] == RENAME_EXCHANGE
    inode = source.entries.get(name)
    if inode is None:
        raise Refused(errno.ENOENT)
    check_name(new_name)
    replaced = target.entries.get(new_name)
    if op["flags"] == RENAME_NOREPLACE and replaced is not None:
        raise Refused(errno.EEXIST)
    if exchange and replaced is None:
        raise Refused(errno.ENOENT)
    if inode.is_directory and source is not target and contains(inode, target):
        raise Refused(errno.EINVAL)
    if replaced is not None and source is not target and contains(replaced, source):
        raise Refused(errno.EINVAL if exchange else errno.ENOTEMPTY)
    if inode is replaced:
        return
    if inode.fixed or (replaced is not None and replaced.fixed):
        raise Refused(errno.EPERM)
    if replaced is not None and not exchange:
        _check_replacement(inode, replaced)
        replaced.names -= 1
    if exchange and replaced is not None:
        source.entries[name] = replaced
    else:
        del source.entries[name]
    target.entries[new_name] = inode
    source.mtime_ns = target.mtime_ns = None


def _check_replacement(inode: Inode, replaced: Inode) -> None:
    if inode.is_directory and not replaced.is_directory:
        raise Refused(errno.ENOTDIR)
    if replaced.is_directory and not inode.is_directory:
        raise Refused(errno.EISDIR)
    if replaced.entries:
        raise Refused(errno.ENOTEMPTY)

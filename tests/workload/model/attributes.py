"""Modes, owners, times, extended attributes, ACLs, flags."""

import errno
import os
import stat

from tests.workload import acl
from tests.workload.acl import Acl
from tests.workload.model.tree import Inode, Refused, Tree
from tests.workload.operations import Operation, user_of


def change_mode(inode: Inode, op: Operation) -> None:
    """chmod(2), fchmod(2)."""
    if inode.fixed:
        raise Refused(errno.EPERM)
    permissions = op["mode"]
    uid, gid = user_of(op)
    if uid != 0 and gid != inode.gid:
        permissions &= ~stat.S_ISGID
    inode.set_permissions(permissions)
    if inode.access is not None:
        inode.access = inode.access.with_mode(permissions & 0o777)


def chown(tree: Tree, op: Operation) -> None:
    """lchown(2) by root; -1 keeps what is there. Takes privileges away, root's too."""
    inode = tree.lookup(op["path"])
    if inode.fixed:
        raise Refused(errno.EPERM)
    inode.uid = inode.uid if op["uid"] == -1 else op["uid"]
    inode.gid = inode.gid if op["gid"] == -1 else op["gid"]
    if inode.is_directory:
        return
    inode.xattrs.pop("security.capability", None)
    permissions = stat.S_IMODE(inode.mode) & ~stat.S_ISUID
    if permissions & stat.S_IXGRP:
        permissions &= ~stat.S_ISGID
    inode.set_permissions(permissions)


def utimens(tree: Tree, op: Operation) -> None:
    """utimensat(2)."""
    inode = tree.lookup(op["path"])
    if inode.fixed:
        raise Refused(errno.EPERM)
    inode.mtime_ns = op["mtime_ns"]


def set_xattr(tree: Tree, op: Operation) -> None:
    """lsetxattr(2)."""
    inode, name, value = tree.lookup(op["path"]), op["name"], bytes.fromhex(op["value"])
    if inode.fixed:
        raise Refused(errno.EPERM)
    if name in (acl.ACCESS, acl.DEFAULT):
        _set_acl(inode, name, Acl.from_bytes(value))
        return
    if name.startswith("user.") and not (inode.is_file or inode.is_directory):
        raise Refused(errno.EPERM)
    if op["flags"] & os.XATTR_CREATE and name in inode.xattrs:
        raise Refused(errno.EEXIST)
    if op["flags"] & os.XATTR_REPLACE and name not in inode.xattrs:
        raise Refused(errno.ENODATA)
    inode.xattrs[name] = value


def _set_acl(inode: Inode, name: str, value: Acl) -> None:
    if inode.is_kind(stat.S_IFLNK):
        raise Refused(errno.EOPNOTSUPP)
    if name == acl.DEFAULT:
        if not inode.is_directory:
            raise Refused(errno.EACCES)
        inode.default = value
        return
    inode.set_permissions(inode.mode & 0o7000 | value.mode)
    inode.access = value if value.mask is not None else None


def remove_xattr(tree: Tree, op: Operation) -> None:
    """lremovexattr(2)."""
    inode, name = tree.lookup(op["path"]), op["name"]
    if inode.fixed:
        raise Refused(errno.EPERM)
    if name in (acl.ACCESS, acl.DEFAULT):
        _remove_acl(inode, name)
        return
    if name.startswith("user.") and not (inode.is_file or inode.is_directory):
        raise Refused(errno.EPERM)
    if name not in inode.xattrs:
        raise Refused(errno.ENODATA)
    del inode.xattrs[name]


def _remove_acl(inode: Inode, name: str) -> None:
    """Without an ACL there is nothing to remove, and that is no error."""
    if inode.is_kind(stat.S_IFLNK):
        raise Refused(errno.EOPNOTSUPP)
    if name == acl.DEFAULT:
        inode.default = None
    else:
        inode.access = None


def get_xattr(tree: Tree, op: Operation) -> str:
    """lgetxattr(2)."""
    value = tree.lookup(op["path"]).all_xattrs().get(op["name"])
    if value is None:
        raise Refused(errno.ENODATA)
    return value.hex()


def set_flags(tree: Tree, op: Operation) -> None:
    """FS_IOC_SETFLAGS."""
    tree.lookup(op["path"]).flags = op["flags"]


def describe(inode: Inode) -> dict[str, int]:
    """As stat(2); without mtime_ns when it is not known."""
    found = {
        "mode": inode.mode,
        "uid": inode.uid,
        "gid": inode.gid,
        "names": inode.link_count,
        "size": inode.content.size if inode.is_file else len(os.fsencode(inode.target)),
        "rdev": inode.rdev,
    }
    return found if inode.mtime_ns is None else found | {"mtime_ns": inode.mtime_ns}

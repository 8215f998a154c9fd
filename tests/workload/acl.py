"""POSIX ACLs as the model keeps them: acl(5), and the bytes of system.posix_acl_*."""

import struct
from dataclasses import dataclass
from typing import Self

_USER_OBJ, _USER, _GROUP_OBJ, _GROUP, _MASK, _OTHER = 1, 2, 4, 8, 16, 32
_NOBODY = 0xFFFFFFFF
ACCESS = "system.posix_acl_access"
DEFAULT = "system.posix_acl_default"


@dataclass(frozen=True, slots=True)
class Acl:
    """Permissions of owner, group, others; of users and groups by number; mask None: minimal."""

    owner: int
    group: int
    other: int
    users: tuple[tuple[int, int], ...] = ()
    groups: tuple[tuple[int, int], ...] = ()
    mask: int | None = None

    def to_bytes(self) -> bytes:
        """The value of the attribute."""
        entries = [(_USER_OBJ, self.owner, _NOBODY)]
        entries += [(_USER, bits, number) for number, bits in self.users]
        entries += [(_GROUP_OBJ, self.group, _NOBODY)]
        entries += [(_GROUP, bits, number) for number, bits in self.groups]
        if self.mask is not None:
            entries += [(_MASK, self.mask, _NOBODY)]
        entries += [(_OTHER, self.other, _NOBODY)]
        return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *each) for each in entries)

    @classmethod
    def from_bytes(cls, value: bytes) -> Self:
        """The inverse."""
        entries = [struct.unpack_from("<HHI", value, at) for at in range(4, len(value), 8)]
        single = {tag: bits for tag, bits, _ in entries if tag not in (_USER, _GROUP)}
        return cls(
            owner=single[_USER_OBJ],
            group=single[_GROUP_OBJ],
            other=single[_OTHER],
            users=tuple((number, bits) for tag, bits, number in entries if tag == _USER),
            groups=tuple((number, bits) for tag, bits, number in entries if tag == _GROUP),
            mask=single.get(_MASK),
        )

    @property
    def mode(self) -> int:
        """The nine permission bits that stat shows with this ACL."""
        group = self.group if self.mask is None else self.mask
        return self.owner << 6 | group << 3 | self.other

    def with_mode(self, mode: int) -> "Acl":
        """After chmod: owner, others, and the mask, or the group where there is no mask."""
        group, mask = (mode >> 3 & 7, None) if self.mask is None else (self.group, mode >> 3 & 7)
        return Acl(mode >> 6 & 7, group, mode & 7, self.users, self.groups, mask)

    def inherited(self, mode: int) -> "Acl":
        """The access ACL of what is created with this mode where this is the default ACL."""
        group = self.group if self.mask is not None else self.group & mode >> 3 & 7
        mask = None if self.mask is None else self.mask & mode >> 3 & 7
        return Acl(
            self.owner & mode >> 6 & 7, group, self.other & mode & 7, self.users, self.groups, mask
        )

"""Places: what an operation touches, and so what may differ between two nodes (design 2, 8).

The numbers are those of `enum mn_place_kind` (native/util/object.h) and of the wire.
"""

from enum import IntEnum

REGION_BYTES = 65_536  # grain of the dirty index; MN_REGION_BYTES in C


class PlaceKind(IntEnum):
    """Kind of a place of the dirty index."""

    DATA = 1  # one region of a file's data
    ATTRIBUTES = 2  # mode, owner, times, xattrs, flags, size
    NAME = 3  # one name in a directory, whose identity is the place's
    WHOLE = 4  # all data and attributes of one object
    DIRECTORY = 5  # every name of one directory
    SUBTREE = 6  # everything beneath one directory
    ALL = 7  # everything in the replicated directory; the identity is zero

"""The protocol between two data planes: one table, the source of everything else.

From it come the C header `native/wire/wire_messages.h`, the table in PROTOCOL.md, the dispatch
and its three generic checks (known code, size, allowed now), the names in traces, and the golden
bytes that Python and C tests read. It knows no socket and performs nothing.

Field types, all little-endian:

    u8 u16 u32 u64 i32 i64   integers
    id                       16 bytes, the identity of an object (design 8)
    name                     u16 length, then 1 to 255 bytes, no slash, no NUL, not . or ..
    text                     u16 length, then 0 to 4,096 bytes without NUL, UTF-8 unless it is the
                             name of an extended attribute, which may be any bytes
    bytes                    u32 length, then that many bytes, at most PAYLOAD_BYTES_MAX
    list:STRUCT              u32 count, then that many of the struct, at most LIST_COUNT_MAX

A code is never reused: what is withdrawn becomes `Retired`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag, StrEnum

PROTOCOL_VERSION = 1
PROTOCOL_VERSION_OLDEST = 1
FRAME_HEADER_BYTES = 32
PAYLOAD_BYTES_MAX = (1 << 20) + 4096  # one FUSE request of 1 MiB and its fields
LIST_COUNT_MAX = 65_536


class Side(StrEnum):
    """Who sends a message."""

    PRIM = "PRIM"  # the source: it serves, or it is about to
    SECOND = "SECOND"  # the target
    BOTH = "BOTH"


class Lane(StrEnum):
    """What a connection is for; Hello says it, and each message is allowed on some lanes only."""

    CONTROL = "CONTROL"  # one: session, checkpoints, names of reintegration
    LIVE = "LIVE"  # one per capture thread: operations
    COPY = "COPY"  # one per reintegration thread: hashes and blocks


# The number of a lane in Hello.
LANE_NUMBERS = {Lane.CONTROL: 0, Lane.LIVE: 1, Lane.COPY: 2}


class Refusal(IntEnum):
    """Field `code` of Refuse: what a program does about it; the sentence is for people."""

    VERSION = 1  # no protocol version in common
    MODULE = 2  # another module, or another node, was expected at this port
    SESSION = 3  # this session is not, or no longer, agreed between the control planes
    LANE = 4  # no such lane, or that one is connected already
    BUSY = 5  # a worker of the old session has not finished (design 8): ask again
    REQUEST = 6  # a request made after Welcome cannot be done


class Feature(IntFlag):
    """Bits of Hello and Welcome: what may be said only when both ends have it."""

    KEPT = 1  # versions kept aside are listed, read and removed over the link
    VERIFY = 2  # a pair in step is compared
    NAMELESS = 4  # a file is sent before it gets its first name


FEATURES = Feature.KEPT | Feature.VERIFY | Feature.NAMELESS


class Coder(StrEnum):
    """Where a message is encoded and decoded."""

    NATIVE = "native"  # C and Python
    PYTHON = "python"  # Python only: it may hold lists


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the protocol.

    answer: the name of the message that answers it, or "" when none does.
    lanes: where it is allowed; "" stands for before Welcome, on any lane.
    """

    code: int
    name: str
    side: Side
    lanes: tuple[Lane, ...]
    coder: Coder
    fields: str
    answer: str
    since: int
    meaning: str


@dataclass(frozen=True, slots=True)
class Retired:
    """A code that was used by an earlier version and is never used again."""

    code: int
    name: str
    since: int
    until: int
    why: str


P, S, B = Side.PRIM, Side.SECOND, Side.BOTH
ANY = (Lane.CONTROL, Lane.LIVE, Lane.COPY)
CONTROL = (Lane.CONTROL,)
LIVE = (Lane.CONTROL, Lane.LIVE)  # the checkpoint's own operations use the control lane
COPY = (Lane.COPY,)
N, Y = Coder.NATIVE, Coder.PYTHON

# fmt: off
STRUCTS: dict[str, str] = {
    # what stands at a name: kind has the type bits of st_mode, and 1 while the object is not
    # complete (trusted.mirror.fresh); 0 when nothing stands there. id zero: it has no valid one.
    "Entry":  "name:name id:id kind:u32",
    # a place of the dirty index; kind as PlaceKind; parent and hint help to find id again
    "Place":  "kind:u8 root:u8 id:id region:u64 name:bytes parent:id hint:bytes",
    "Root":   "root:u8 id:id begun:u64 stable:u64",
    "Xattr":  "name:text value:bytes",
    "Step":   "name:name",
    # an object to attach: mode has the type bits; search 1: it may stand at a name that is not
    # dirty, 2: it shall not be made new yet; target is the text of a symbolic link
    "Object": "parent:id name:name id:id mode:u32 rdev:u64 search:u8 target:bytes",
    # an object to find: by the directory and name it was seen at, or by its path from the top
    "Wanted": "id:id parent:id hint:bytes path:list:Step",
    # flags: append, immutable, nodump, noatime, sync, dirsync of FS_IOC; xattrs: all but trusted.mirror.*
    "Attributes": "id:id mode:u32 uid:u32 gid:u32 atime_ns:i64 mtime_ns:i64 flags:u32 xattrs:list:Xattr",
    # an object as it is at the target: found 0, there is none and the rest says nothing; target is
    # the text of a symbolic link; flags and xattrs as in Attributes
    "Seen": "found:u8 mode:u32 uid:u32 gid:u32 mtime_ns:i64 rdev:u64 flags:u32 target:bytes xattrs:list:Xattr",
}

MESSAGES: tuple[Message, ...] = (
    #       code  name            side lanes   by  fields / answer / since / meaning
    Message(0x01, "Hello",         B, ANY,     N, "version_oldest:u16 version_newest:u16 lane:u8 lane_index:u8 session:id features:u64 module:text node:text", "Welcome", 1, "first message of each connection"),
    Message(0x02, "Welcome",       B, ANY,     N, "version:u16 session:id features:u64 node:text", "", 1, "the connection is accepted"),
    Message(0x03, "Refuse",        B, ANY,     N, "code:u16 sentence:text", "", 1, "the connection or the request is refused, and why"),
    Message(0x04, "Ack",           S, ANY,     N, "error:i32 result:u64", "", 1, "done, or the errno (positive) that the target met; result: bytes done, or as the request says"),

    Message(0x10, "Introduce",     P, LIVE,    N, "root:u8 parent:id id:id name:name", "Ack", 1, "first use of an identity in a session; ESTALE when the target has another object there"),
    Message(0x11, "SetIdentity",   P, LIVE,    N, "epoch:u64 root:u8 parent:id id:id name:name", "Ack", 1, "the object there had no valid identity; it is given this one"),
    Message(0x12, "Create",        P, LIVE,    N, "epoch:u64 root:u8 parent:id id:id mode:u32 umask:u32 uid:u32 gid:u32 rdev:u64 name:name target:bytes", "Ack", 1, "file, directory, link text, fifo, socket or device; mode has the type bits"),
    Message(0x13, "Link",          P, LIVE,    N, "epoch:u64 root:u8 id:id parent:id name:name", "Ack", 1, "one more name for an object"),
    Message(0x14, "Unlink",        P, LIVE,    N, "epoch:u64 root:u8 parent:id id:id directory:u8 name:name", "Ack", 1, "removes a name; directory 1 as rmdir does"),
    Message(0x15, "Rename",        P, LIVE,    N, "epoch:u64 root:u8 parent:id id:id new_parent:id replaced:id flags:u32 name:name new_name:name", "Ack", 1, "flags of renameat2; replaced is zero when nothing stands at the new name"),
    Message(0x16, "Write",         P, LIVE,    N, "epoch:u64 root:u8 id:id offset_bytes:u64 flags:u32 data:bytes", "Ack", 1, "flags: 1 kill setuid and setgid, 2 O_DSYNC, 4 O_SYNC, 8 an undo"),
    Message(0x17, "SetAttributes", P, ANY,     N, "epoch:u64 root:u8 id:id valid:u32 mode:u32 uid:u32 gid:u32 size_bytes:u64 atime_ns:i64 mtime_ns:i64", "Ack", 1, "valid: 1 mode, 2 uid, 4 gid, 8 size, 16 atime, 32 mtime, 64 kill setuid and setgid; absolute values only"),
    Message(0x18, "SetXattr",      P, LIVE,    N, "epoch:u64 root:u8 id:id flags:u32 name:text value:bytes", "Ack", 1, "flags: XATTR_CREATE 1, XATTR_REPLACE 2, 256 clear setgid with the ACL"),
    Message(0x19, "RemoveXattr",   P, LIVE,    N, "epoch:u64 root:u8 id:id name:text", "Ack", 1, "removes one extended attribute"),
    Message(0x1A, "Fallocate",     P, LIVE,    N, "epoch:u64 root:u8 id:id mode:u32 offset_bytes:u64 size_bytes:u64", "Ack", 1, "allocate, punch or zero: no content travels"),
    Message(0x1B, "CopyRange",     P, LIVE,    N, "epoch:u64 root:u8 id:id offset_bytes:u64 to:id to_offset_bytes:u64 size_bytes:u64", "Ack", 1, "copy_file_range; the source range is clean at the target; result: bytes copied"),
    Message(0x1C, "Sync",          P, LIVE,    N, "epoch:u64 root:u8 id:id datasync:u8", "Ack", 1, "fsync or fdatasync of one object; the target always syncs"),
    Message(0x1D, "SetFlags",      P, LIVE,    N, "epoch:u64 root:u8 id:id flags:u32 valid:u32", "Ack", 1, "the FS_IOC flags (append, immutable, nodump, noatime, sync, dirsync) that valid names"),
    Message(0x1E, "CreateNameless", P, LIVE,   N, "epoch:u64 root:u8 parent:id id:id mode:u32 uid:u32 gid:u32 name:name", "Ack", 1, "feature 4: a file without a name, for this lane until its Link to this name, or its end"),

    Message(0x20, "Checkpoint",    P, LIVE,    N, "epoch:u64 stable_epoch:u64 operation_count:u64", "Ack", 1, "every operation tagged <= epoch has finished on both; sync the file systems; what is <= stable_epoch is on both disks"),
    Message(0x21, "Ping",          P, LIVE,    N, "sent_ms:u64", "Ack", 1, "keeps the session's silence bounded"),

    Message(0x30, "BeginSync",     P, CONTROL, Y, "full:u8 source_serves:u8 aside:text generation:id", "Ack", 1, "reintegration begins; aside: the folder for versions kept aside, empty when none are"),
    Message(0x31, "FetchIndex",    P, CONTROL, Y, "cursor:bytes", "IndexPage", 1, "the target's own index and recent set"),
    Message(0x32, "IndexPage",     S, CONTROL, Y, "places:list:Place next:bytes", "", 1, "next is empty after the last page"),
    Message(0x33, "ListNames",     P, CONTROL, Y, "root:u8 directory:id after:bytes names:list:Step", "Names", 1, "what the target has at these names; no names: all of the directory in order, from after on"),
    Message(0x34, "Names",         S, CONTROL, Y, "error:i32 entries:list:Entry", "", 1, "the entries found; of names asked for, missing ones have kind 0; of a whole directory, fewer than 512 are the last"),
    Message(0x35, "Detach",        P, CONTROL, Y, "root:u8 directory:id entries:list:Entry", "Ack", 1, "move these, if they are what is said, to the stash"),
    Message(0x36, "Attach",        P, CONTROL, Y, "root:u8 objects:list:Object", "Outcomes", 1, "put these in place: from the stash, as a link, or made new"),
    Message(0x37, "Outcomes",      S, CONTROL, Y, "error:i32 outcomes:bytes", "", 1, "a byte an object. Attach: 0 was there, 1 moved, 2 linked, 3 made new, 4 adopted (no identity before), 5 there, but not complete, 6 not now. Find, SetAll: 0 done, 1 there is none, 2 done, its mode, owner or extended attributes were others"),
    Message(0x38, "SetAll",        P, CONTROL, Y, "root:u8 objects:list:Attributes", "Outcomes", 1, "all attributes of these objects, which are complete now"),
    Message(0x39, "EmptyStash",    P, CONTROL, Y, "root:u8", "Ack", 1, "names are equal: what is left in the stash is kept aside or removed"),
    Message(0x3C, "Roots",         P, CONTROL, Y, "full:u8 roots:list:Root", "RootsHeld", 1, "first on CONTROL: the replicated directories, and the marks of their disks: the last checkpoint begun there, and the last known to be on both; with full the target adopts the identities, else ESTALE when its own differ"),
    Message(0x3F, "RootsHeld",     S, CONTROL, Y, "error:i32 roots:list:Root", "", 1, "the same of the target: a disk that has begun less than the other knows to be on both was restored from a snapshot"),
    Message(0x3A, "EndSync",       P, CONTROL, Y, "generation:id checkpoint:u64 record:bytes", "Ack", 1, "both disks hold everything: the target makes its record durable"),
    Message(0x3B, "Find",          P, CONTROL, Y, "root:u8 search:u8 objects:list:Wanted", "Outcomes", 1, "the target shall know these by identity, and be able to write them; search 1: by a scan of its tree if need be"),
    Message(0x3D, "KeepAside",     P, CONTROL, Y, "root:u8 id:id", "Ack", 1, "the data of this file is about to be overwritten: its present version is kept aside; ENOSPC ends the reintegration"),
    Message(0x3E, "SyncNames",     P, CONTROL, Y, "root:u8", "Ack", 1, "the target's disk holds every name attached and detached so far"),

    Message(0x40, "HashRange",     P, COPY,    N, "root:u8 id:id offset_bytes:u64 size_bytes:u64 block_bytes:u32", "Hashes", 1, "XXH3-128 of each block of the range at the target; the last block may be shorter; one with a hole in it hashes as 16 zero bytes, equal to nothing"),
    Message(0x41, "Hashes",        S, COPY,    N, "error:i32 size_bytes:u64 hashes:bytes", "", 1, "16 bytes a block, big-endian canonical form; size of the file at the target"),
    Message(0x42, "CopyBlock",     P, COPY,    N, "root:u8 id:id offset_bytes:u64 hole_bytes:u64 data:bytes", "Ack", 1, "bytes that differ, or a hole when data is empty"),
    Message(0x43, "ReadRange",     P, COPY,    N, "root:u8 id:id offset_bytes:u64 size_bytes:u32", "Bytes", 1, "the target's own bytes, for verification and the list of differences"),
    Message(0x44, "Bytes",         S, COPY,    N, "error:i32 data:bytes", "", 1, "as read"),

    Message(0x50, "ListKept",      P, CONTROL, Y, "root:u8 cursor:u64", "KeptPage", 1, "feature 1: what this node kept aside of a directory; cursor 0 begins"),
    Message(0x51, "KeptPage",      S, CONTROL, Y, "error:i32 lines:bytes next:u64", "", 1, "a JSON object a line; next is 0 after the last page"),
    Message(0x52, "ReadKept",      P, CONTROL, Y, "root:u8 folder:name path:bytes offset_bytes:u64 size_bytes:u32", "KeptBytes", 1, "feature 1: attributes and a piece of one object kept aside; path beneath its folder"),
    Message(0x53, "KeptBytes",     S, CONTROL, Y, "error:i32 size_bytes:u64 rdev:u64 hole_bytes:u64 objects:list:Attributes data:bytes", "", 1, "the object has one Attributes with a zero id; a hole before the data; of a symbolic link, data is its text"),
    Message(0x54, "RemoveKept",    P, CONTROL, Y, "root:u8 folder:name path:bytes", "Ack", 1, "feature 1: this version is not wanted any more; result: bytes freed"),
    Message(0x60, "BeginVerify",   P, CONTROL, Y, "aside:text", "Ack", 1, "feature 2: a pair in step is compared; ListNames, Find, Inspect, KeepAside, SetAll and HashRange may follow; aside: the folder for what a repair replaces, empty without repair"),
    Message(0x61, "Inspect",       P, CONTROL, Y, "root:u8 objects:list:Wanted", "Inspected", 1, "what these objects are at the target, all but their data and times of access"),
    Message(0x62, "Inspected",     S, CONTROL, Y, "error:i32 objects:list:Seen", "", 1, "one for each, in order"),
    Message(0x63, "EndVerify",     P, CONTROL, Y, "", "Ack", 1, "the target gives back what it held for it"),
)
RETIRED: tuple[Retired, ...] = ()
# fmt: on

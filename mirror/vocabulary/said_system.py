"""What the system said: its own words, with the code of one of our sentences where one fits."""

import errno

from mirror.vocabulary.said import Said

# The sentences are those of said_outside.py; a network fails in more ways (adapters/failures.py).
CODES = {
    errno.ECONNREFUSED: "why.refused",
    errno.ECONNRESET: "why.broke_off",
    errno.EPIPE: "why.broke_off",
    errno.EHOSTUNREACH: "why.no_route",
    errno.ENETUNREACH: "why.no_route",
    errno.ETIMEDOUT: "seen.late",
    errno.ENOENT: "why.absent",
    errno.ENOTDIR: "why.no_directory",
    errno.EISDIR: "why.directory",
    errno.EACCES: "why.denied",
    errno.EPERM: "why.denied",
    errno.ENOEXEC: "why.no_program",
    errno.EIO: "why.disk",
    errno.EUCLEAN: "why.disk",
    errno.ESTALE: "why.gone",
    errno.ENOTCONN: "why.gone",
    errno.ENOSPC: "why.full",
    errno.EDQUOT: "why.quota",
    errno.EROFS: "why.read_only",
}


def system_said(error: OSError) -> Said:
    """Cite the system, as logs and administrators know it; a French reader has the code."""
    return Said(error.strerror or str(error), CODES.get(error.errno or 0, ""))

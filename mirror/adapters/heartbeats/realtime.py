"""Keeps a thread running on a loaded host, and in a busy process.

Real-time priority, memory that is never paged out, short turns of the others at the interpreter.
None is needed for correctness, so a refusal is a sentence for the log and not an error.
"""

import ctypes
import os
import sys

# From sched(7) and mman.h; MCL_ONFAULT because a locked stack of 8 MiB a thread would be waste.
# Above ordinary work, below the kernel's threads (50). The loop that decides comes after the
# threads that send and answer, and before the rest: it may hold the interpreter's lock, and who
# waits for that waits for its turn on a processor (152 ms at 33 runnable tasks a processor).
PRIORITY = 20
LOOP_PRIORITY = 10
_MCL_CURRENT = 1
_MCL_FUTURE = 2
_MCL_ONFAULT = 4


# How long one thread may hold the interpreter while another one waits for it; CPython's own is
# 5 ms, and each system call of the heartbeats gives it away, several a pulse. What this costs two
# busy threads is below what a measurement shows (at 0.1 ms it was 6 %), others nothing.
SWITCH_S = 0.000_5


def share_interpreter() -> None:
    """Have no thread of this process wait longer than that for a turn."""
    sys.setswitchinterval(SWITCH_S)


def raise_this_thread(priority: int = PRIORITY) -> str | None:
    """Give the calling thread SCHED_RR, not inherited by children. Returns: why not, or None."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(priority))
    except OSError as error:
        return f"no real-time priority: {error.strerror}"
    return None


def lock_memory() -> str | None:
    """Keep the memory of this process, now and later, in RAM. Returns: why not, or None."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT) == 0:
        return None
    return f"memory not locked: {os.strerror(ctypes.get_errno())}"

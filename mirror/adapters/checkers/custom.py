"""The custom checker: a program of the module that never ends, and says itself what it sees.

It is run with the module's name, the name of its resource and its argument; it calls `safekit set
-r custom.IDENT -v up|down`. Here it is only kept running: in a control group of its own, started
again when it ends, later each time.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping

from mirror.adapters.process_marks import MarkedGroup
from mirror.adapters.script_place import Group, ScriptPlace
from mirror.config.check_models import CustomCheck
from mirror.errors import MirrorError

AGAIN_S = 1.0
AGAIN_S_MAX = 30.0
TERM_S = 2.0
KILL_S = 5.0


async def keep_running(
    check: CustomCheck,
    place: ScriptPlace,
    module: str,
    variables: Mapping[str, str],
    *,
    say: Callable[[str], None],
    note: Callable[[str], None],
) -> None:
    """Run the program until cancelled; then none of its processes is left.

    say("unknown"): it cannot be run, so nobody knows. note(sentence): for the module log.
    """
    group = place.checker_group(check.ident)
    await end(group, (signal.SIGKILL,))  # of a control plane that was killed
    again_s, noted = AGAIN_S, ""
    try:
        while True:
            try:
                how = await _run(check, place, group, module, variables)
            except (MirrorError, OSError) as error:
                how = str(error)
                say("unknown")
            if how != noted:
                noted = how
                note(f"Checker {check.resource}: {how}; started again")
            await asyncio.sleep(again_s)
            again_s = min(2 * again_s, AGAIN_S_MAX)
    finally:
        await end(group, (signal.SIGTERM, signal.SIGKILL))


async def _run(
    check: CustomCheck, place: ScriptPlace, group: Group, module: str, variables: Mapping[str, str]
) -> str:
    """Run it until it ends by itself; give how it ended. Raises: ScriptNotStarted (MIR-209)."""
    path = place.program(check.exec)
    output, _ = await asyncio.to_thread(place.prepare, check.resource, path, group)
    arguments = [module, check.resource, *([check.arg] if check.arg else [])]
    try:
        process = await asyncio.create_subprocess_exec(
            *group.enter([str(path), *arguments]),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=place.checker_environment(check.ident, variables),
            cwd=path.parent,
            start_new_session=True,
        )
    finally:
        os.close(output)
    if isinstance(group, MarkedGroup):
        group.note_session(process.pid)
    try:
        code = await process.wait()
    except asyncio.CancelledError:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        raise
    return f"ended with {code}"


async def end(group: Group, numbers: tuple[signal.Signals, ...]) -> None:
    """Send these signals in turn, until nobody is left in the group; then it goes away."""
    for number in numbers:
        if not await asyncio.to_thread(group.populated):
            break
        await asyncio.to_thread(group.signal, number)
        await group.wait_empty(TERM_S if number is signal.SIGTERM else KILL_S)
    await asyncio.to_thread(group.remove)

"""`clean`: empties a module's log, ends what a stopped one left running, forgets resources."""

from mirror.daemon.node.module_runner import ModuleRunner
from mirror.errors import CommandRefused
from mirror.vocabulary.said import say
from mirror.vocabulary.states import State


async def clean(runner: ModuleRunner, what: str) -> dict[str, object]:
    """Clean `log`, `process`, `resource` or `all`; return what was done.

    Raises: CommandRefused for the processes of a module that is not stopped, ProcessesRemain.
    """
    done = []
    if what in {"all", "process", "resource"} and runner.state is not State.STOP:
        raise CommandRefused(
            module=runner.name,
            verb=f"clean {what}",
            observed=say("module.must_stop", state=runner.state),
        )
    if what in {"all", "process"}:
        killed = await runner.scripts.end_everything()
        done.append(f"{len(killed)} processes ended")
    if what in {"all", "resource"}:
        runner.notebook.resources.clear()
        runner.show_user_settings()
        done.append("resources forgotten")
    if what in {"all", "log"}:
        await runner.log.clear()
        done.append("log emptied")
    return {"said": f"{runner.name}: {', '.join(done)}"}

"""The data plane process: `python -m mirror.daemon.data_plane --config FILE`.

Started by the control plane in a session of its own, so it outlives it; found again by its socket.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import signal
import sys
from pathlib import Path

from mirror.adapters.process_log import configure_trace
from mirror.daemon.plane.service import Service
from mirror.daemon.plane.settings import PlaneSettings
from mirror.errors import EXIT_CONFIG_REFUSED, MirrorError


async def _run(settings: PlaneSettings) -> None:
    service = Service(settings)
    # The settled objects are never garbage: the collector need not walk them.
    gc.freeze()
    await service.run()


def main() -> None:
    """Run one data plane until it is told to stop. SIGTERM and SIGINT are not its way to end."""
    parser = argparse.ArgumentParser(prog="mirror data plane")
    parser.add_argument("--config", type=Path, required=True)
    settings = PlaneSettings.read(parser.parse_args().config)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    configure_trace(to_syslog=False)
    try:
        asyncio.run(_run(settings))
    except MirrorError as error:
        sys.stderr.write(f"{error}\n")  # the last line of its log: the control plane shows it
        sys.exit(EXIT_CONFIG_REFUSED)


if __name__ == "__main__":
    main()

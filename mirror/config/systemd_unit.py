"""The systemd unit of a node: what starts its guardian, and what must not end with it. Pure."""

from mirror.config.layout import Layout

NAME = "mirror.service"
NODE = ("node",)  # words after the program; the lab boots its hosts by the same
# Stop scripts have five minutes each by default, called twice.
STOP_S = 1200

UNIT = """\
# Written by `mirror service install`; `mirror service remove` takes it away.
[Unit]
Description=mirror: applications on two servers, every byte they write on both
Wants=network-online.target
After=network-online.target local-fs.target time-sync.target

[Service]
Type=exec
Environment=SAFE={safe} SAFEVAR={safevar}
ExecStart={command}
Restart=always
RestartSec=1
# A stop asks the guardian, which stops every module in order. What it leaves is meant to stay:
# data planes and applications outlive a guardian that died, and the next one goes on with them.
KillMode=process
TimeoutStopSec={stop_s}
# The applications' control groups lie beside this one; nothing here is killed for memory first.
Delegate=yes
OOMScoreAdjust=-900
LimitNOFILE=65536
LimitMEMLOCK=infinity
LimitRTPRIO=99
TasksMax=infinity

[Install]
WantedBy=multi-user.target
"""


def exec_start(program: str) -> tuple[str, ...]:
    """Give the command that runs a node in the foreground."""
    return (program, *NODE)


def unit_text(program: str, layout: Layout) -> str:
    """Write the unit for a program (absolute) and the roots of this node."""
    return UNIT.format(
        safe=layout.safe,
        safevar=layout.safevar,
        command=" ".join(exec_start(program)),
        stop_s=STOP_S,
    )

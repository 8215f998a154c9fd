"""Sentences of a host: its files, records, agents, data planes, and requests to it (said.py)."""

TEMPLATES: dict[str, str] = {
    # files
    "file.irregular": "no regular file",
    "file.link_or_none": "a symbolic link, or no directory",
    "file.name": "name of a file",
    "file.no_json": "not JSON: {observed}",
    "file.space": "a path with a space cannot be preloaded",
    "do.give_path": "give a path such as bin/start_prim, without dots at the start of its parts",
    # durable records
    "record.unread": "not readable ({observed})",
    "record.long": "longer than {allowed} bytes",
    "record.no_json": "no JSON ({count} bytes)",
    "record.format": "not a record of this format",
    "record.missing": "record or checksum missing",
    "record.checksum": "checksum differs",
    # scripts, fence agents, the witness
    "fence.silent": "{name} does not answer",
    "fence.no_program": "no such program, or not executable",
    "fence.readable": "others may read it: chmod 600",
    "script.not_executable": "not executable",
    "script.survivors": "still running after SIGKILL: {pids}",
    "witness.foreign": "the key holds something that is not ours",
    # what a host shows of itself
    "host.interfaces": "interfaces and addresses",
    "lan.no_address": "no address is known for {name}",
    "lan.not_joined": 'network "{lan}" does not join both nodes',
    "do.mount_proc": "is /proc mounted?",
    "do.allow_netlink": "netlink must be available, and the process root",
    # requests to a node
    "node.asked": "{do} asked of the node",
    "node.no_address": "it has no address in cluster.xml",
    "node.at": "{address}: {observed}",
    "node.closed": "it closed the connection",
    "verb.notes": "it is {state}, not {wanted}, the one that notes what changes",
    "request.unknown": "no such request",
    "local.length": "{count} bytes to send, {allowed} allowed",
    "request.nothing": "nothing",
    "request.no_verb": "no such command",
    "verb.in_step": "it is {state}, not {wanted}, in step with SECOND",
    "do.may_follow": "it may still do it: look at the state",
    # data planes, and why a reintegration stops
    "plane.no_object": "the target does not have the object {id}",
    "plane.tocheck": "{path} of <tocheck> is missing: is the right disk mounted?",
    "plane.in_use": "still in use, disconnected by force",
    "plane.not_in_step": "{mode}, not in step with a secondary",
    "plane.target": "the target: {observed}",
    "plane.other_session": "in another session",
    "plane.no_identity": "without identity: the disk may be missing",
    "plane.only_close": "only to be closed",
    "plane.other_version": "of another version",
    "plane.faster_sent": "they change faster than they are sent",
    "plane.faster_equal": "they change faster than they can be made equal",
    "plane.asked": "this node was asked to",
    "plane.no_message": "not a message for a target",
    "plane.no_such_object": "the target does not have an object we have",
    "verb.rfssync": "it takes prim or second, and a UID of 1 to {max} characters",
    "verb.neither": "it is {state}, neither stopped nor ALONE",
    "shipped.not_whole": "this node does not hold whole data that could be copied",
    "shipped.must_stop": (
        "the module must be stopped here while a copy is put into its directories"
    ),
    "shipped.only_here": (
        "this node alone holds everything that was acknowledged, and would be"
        " overwritten; start it, or `primforce` on the other node first, if that loss is meant"
    ),
    "fence.not_off": "{name} did not say off within {timeout_ms} ms",
    "fence.answers": "{name} answers {action} with {status}",
    "fence.answers_so": "{name} answers {action} with {status}: {observed}",
    "link.other_data": "its directories hold other data; `second fullsync` joins them",
    "link.version": (
        "no protocol version in common: this node speaks {ours}, the other"
        " {theirs}; upgrade the older node"
    ),
    "link.ended": "the connection ended",
    "link.failed_here": "a message of the source failed here",
    "link.block": "the target could not compare or write a block: {observed}",
    "address.still_there": "still there",
    "watchdog.late": "it fires after {set_s} s, {wanted_s} s are needed",
    "watchdog.not_armed": "the guardian did not arm it, its own log says why",
}

"""Sentences about a configuration: files, rules, what this host cannot give (see said.py)."""

TEMPLATES: dict[str, str] = {
    # what is wrong with elements and attributes
    "config.nearest": '; did you mean "{name}"?',
    "config.more": "{shown} and {count} more",
    "config.or": "{one} or {other}",
    "config.error_count": "{count} error",
    "config.errors_count": "{count} errors",
    "config.at": "  {place}: {why}",
    "config.and": "{one}\n{other}",
    "config.twice": "<{element}> stands twice in <{parent}>; once is allowed",
    "config.again": (
        '<{element}>: attribute "{name}": "{value}" stands already in line {line}; once is allowed'
    ),
    "config.root": "<{element}> stands where <{expected}> is expected{nearest}",
    "config.empty": "<{element}> holds no {wanted}; add one",
    "config.misplaced": "<{element}> stands in <{parent}>; it belongs in {parents}",
    "config.element": "<{element}> is not known in <{parent}>{nearest}; allowed in it: {allowed}",
    "config.leaf": "<{element}> is not known in <{parent}>{nearest}; nothing is allowed in it",
    "config.attribute": (
        '<{element}>: attribute "{name}" is not known{nearest}; allowed: {allowed}'
    ),
    "config.no_attributes": (
        '<{element}>: attribute "{name}" is not known{nearest}; it has no attributes'
    ),
    "config.missing": '<{element}>: attribute "{name}" is missing; give {allowed}',
    "config.value": '<{element}>: attribute "{name}": {observed}; allowed: {allowed}',
    "config.placeholder": (
        '<{element}>: attribute "{name}" still holds the placeholder {placeholder};'
        " replace it by {allowed}"
    ),
    "config.quote": (
        '<{element}>: attribute "{name}" begins or ends with a typographic quote: {value};'
        " remove it"
    ),
    "config.text": '<{element}> holds the text "{text}"; only elements stand in it',
    "config.in_text": "<{element}>: {observed}",
    "config.macro": (
        "%{name}% is neither a macro of this file nor an environment variable{nearest}"
    ),
    # what is known and does nothing, or is not here yet
    "config.no_effect": "<{element} {name}> has no effect here: {why}",
    "config.ignored": "<{element} {name}>: no effect here: {why}",
    "config.later": "<{element}> is not in this version: {why}; remove it",
    "config.later_value": (
        '<{element}>: attribute "{name}": "{value}" is not in this version: {why}'
    ),
    "later.farm": "farm mode comes later",
    "later.rfs_scripts": "the _rfs_ callbacks come later",
    "idle.consoles": "it belongs to older consoles",
    "idle.neighbours": "the kernel's own neighbour table is enough",
    "idle.nfs": "there is no local NFS mount here",
    "idle.windows": "it concerns Windows only",
    "idle.mounted": "the directory is always mounted over, never renamed",
    "idle.renamed": "the directory is never renamed",
    "idle.acl": "ACLs are always replicated",
    "idle.compared": "reintegration compares regions of 64 KiB",
    "idle.noted": "changes are noted by regions of 64 KiB",
    "idle.resumes": "an interrupted reintegration always resumes",
    "idle.checkpoints": "checkpoints do this",
    "idle.detailed": "progress is always detailed",
    "idle.connections": "each capture thread has its own connection",
    "idle.changed": "only changed bytes are ever sent",
    "idle.load": "the load of a process is not checked",
    # what is wrong with a whole file
    "config.syntax": "not well-formed XML: {observed}; correct this line",
    # what the parser finds: it is cited in English
    "xml.mismatch": "<{opened}> of line {line} is closed by </{closed}>",
    "xml.not_closed": "<{tag}> of line {line} is not closed",
    "xml.unended": "the tag <{tag} has no end",
    "xml.quotes": "the value of an attribute must stand in quotes",
    "xml.no_value": "attribute {attribute} has no value",
    "xml.twice": "attribute {attribute} stands twice in a tag",
    "xml.less_than": "'<' stands in a value, or a quote is missing before it; write &lt;",
    "xml.blank": "a blank is missing between two attributes",
    "xml.name": "no name stands after '<'; write &lt; where no tag is meant",
    "xml.ampersand": "'&' stands alone; write &amp;",
    "xml.entity": "&{entity}; is not known; write &amp; for '&'",
    "xml.empty": "no tag begins the file",
    "xml.after_end": "something stands after the end of the document",
    "xml.hyphens": "'--' stands in a comment",
    "xml.comment": "a comment has no end",
    "xml.character": "a character that XML does not allow",
    "xml.encoding": "bytes that are not UTF-8",
    "config.size": "{bytes} bytes; at most {bytes_max} are read",
    "config.zero": "a zero byte stands in the file; save it as UTF-8 text",
    "config.dtd": "a DTD is not read; write <!DOCTYPE safe> and nothing more",
    "config.curly": (
        "a typographic quote ({quote}) stands where XML needs a straight one;"
        ' replace it by " on this line, or all of them by `mirror module straighten {file}`'
    ),
    "config.script_curly": (
        'a typographic quote stands where the shell needs a straight one; replace it by "'
        " on this line, or all of them by `mirror module straighten {file}`"
    ),
    # what does not go together
    "config.handler": (
        '<proc>: attribute "action": "{value}"; allowed: restart, stopstart,'
        " stop, noaction, or the name of a program of bin"
    ),
    "config.restart_services": (
        '<proc>: attribute "restart_services" needs action="restart"; add it'
    ),
    "config.atmax": (
        '<proc>: "atmax" {atmax} is below "atleast" {atleast}; raise one or lower the other'
    ),
    "config.process_name": (
        '<proc>: attribute "name": "{name}" is longer than the {bytes_max} bytes that Linux keeps'
        ' of a process name; write "{short}", or use "argregex" too'
    ),
    "config.module_name": '<module>: attribute "name": "{name}" is no module name',
    "config.check_action": (
        '<{element}>: action "{action}" does not go with when="{when}"; allowed: {allowed}'
    ),
    "config.to_missing": '<to> in <{element}>: attribute "{name}" is missing',
    "config.to_unused": (
        '<to> in <{element}>: attribute "{name}" means nothing here; allowed: {allowed}'
    ),
    "config.fence": '<fence> needs "agent" (of fence-agents) or "exec" (of bin), one of them',
    "config.option": '<option> "{name}" needs "value" or "file", one of them',
    "config.secret": (
        '<option> "{name}": a secret does not belong in this file, which is copied and'
        ' packaged; write it into a file that root alone reads, and name that: file="..."'
    ),
    "config.option_line": '<option> "{name}": a value is one line',
    "config.splitbrain": "<splitbrain> stands twice; the one of line {line} is enough",
    "config.witness": '<splitbrain>: attribute "arg": "{value}"; allowed: {allowed}',
    "config.watchdog": (
        '<heart>: attribute "watchdog": it counts whole seconds, and must fire within a'
        ' timeout of {timeout_ms} ms; give "timeout" at least {minimum_ms} ms,'
        ' or profile="standard"'
    ),
    "config.heartbeat_name": (
        '<heartbeat>: attribute "name" is missing; give a <lan> name of cluster.xml'
    ),
    "config.heartbeat_both": (
        "<heartbeat> has a name and holds <server>; the old and the new syntax do not mix:"
        " keep the name"
    ),
    "config.timing": (
        "<{element}>: timeout {timeout_ms} ms is less than {pulses} pulses of {pulse_ms} ms;"
        ' raise "timeout" or lower "pulse"'
    ),
    "config.watch": '<rfs capture="watch"> is asynchronous: what was written last may be lost',
    "config.notreplicated": '<notreplicated> needs one of "path" and "regexpath", not both',
    "config.same": (
        '<replicated>: attribute "dir": {inner} is the same as {outer} of line {line};'
        " replicate the outer one only"
    ),
    "config.overlaps": (
        '<replicated>: attribute "dir": {inner} overlaps {outer} of line {line};'
        " replicate the outer one only"
    ),
    "config.errd": "<errd> needs <user>, for it acts through the scripts; add <user/>",
    "config.light": (
        "<{element}> has no place in a light module, which runs on one node;"
        ' remove it, or write mode="mirror"'
    ),
    "config.no_heart": "<service> holds no <heart>; a mirror module needs one heartbeat",
    "config.handle_time": (
        '<failover>: attribute "handle_time": {handle_time_ms} ms is no multiple of'
        " the period, {period_ms} ms; choose one"
    ),
    "config.verifyat": '<rfs>: attribute "verifyat": {observed}',
    # what cluster.xml says otherwise
    "cluster.nodes": (
        "a mirror module needs a cluster of 2 nodes; cluster.xml has {count}: {nodes}"
    ),
    "cluster.network": 'no network "{name}" in cluster.xml{nearest}; allowed: {allowed}',
    "cluster.network_of_one": ('network "{name}" does not join both nodes; it has only {nodes}'),
    "cluster.defaultprim": (
        '<service>: attribute "defaultprim": "{name}" is no node{nearest}; allowed: {allowed}'
    ),
    "cluster.commands": '<lan>: attribute "command" is on twice; one network is enough',
    "cluster.carrier": (
        'network "{name}" carries the commands and lacks {nodes};'
        ' add it, or set command="on" on a network that has every node'
    ),
    "cluster.leaves": "this node, {node}, is not in it; it would leave the cluster",
    # kinds of values: what stands there, and what is allowed
    "kind.empty": "empty",
    "kind.quoted": '"{text}"',
    "kind.none_of": '"{text}"{nearest}',
    "kind.not_whole": '"{text}" is no whole number',
    "kind.outside": "{value}",
    "kind.outside_ms": "{value} ms",
    "kind.wrong": '"{text}": {observed}',
    "kind.relative": 'relative path "{text}"',
    "kind.upwards": '".." in "{text}"',
    "kind.word": "one of {words}",
    "kind.switch": "{on} or {off}",
    "kind.number": "a whole number from {minimum} to {maximum}",
    "kind.text": "a text that is not empty",
    "kind.address": "an IPv4 address, an IPv6 address or a host name",
    "kind.directory": "an absolute path other than '/', such as /var/lib/app",
    "kind.schedule": 'five fields as in crontab ("0 4 * * *"), @daily and its like, or none',
    "kind.duration": "a whole number, alone ({unit}) or followed by d h m s ms us",
    "kind.duration_least": (
        "a whole number, alone ({unit}) or followed by d h m s ms us, at least {minimum_ms} ms"
    ),
    "kind.size": "a whole number, alone ({unit}) or followed by B K M G T",
    "kind.netmask": "a netmask such as 255.255.255.0, or a prefix length such as 24",
    "kind.ident": "1 to 64 letters, digits, '_', '-', '.' or ':'",
    "kind.variable": "a letter or '_', then letters, digits or '_'",
    "kind.file": "an absolute path, such as /etc/fence-password",
    "kind.device": "off, or the path of a device, such as /dev/watchdog",
    "kind.host_label": "a host name of 1 to 63 letters, digits, '-' or '.'",
    "kind.beneath": "a path relative to the replicated directory, without '..'",
    "kind.program": "a program of the module's bin, without '..'",
    "kind.bin_file": "a file of the module's bin, without '..'",
    "kind.regex": "a POSIX extended regular expression",
    "kind.regex_negated": "a POSIX extended regular expression, after '!' or not",
    "kind.process": "a name of 1 to 255 bytes, without '/'",
    "kind.endpoints": "endpoints such as https://10.0.0.9:2379, separated by commas",
    "kind.witnesses": "witnesses, each {kind}, separated by spaces",
    # times of a crontab
    "crontab.fields": (
        '"{text}" has {count} fields, five are needed: minute, hour, day of'
        " month, month, day of week (or one of {short})"
    ),
    "crontab.never": '"{text}" is never due: no such day in these months',
    "crontab.step": '{field}: "{part}": a step is 1 or more',
    "crontab.backwards": '{field}: "{part}": the range runs backwards',
    "crontab.outside": '{field}: "{part}": allowed is {minimum} to {maximum}',
    "crontab.word": '{field}: "{part}": not a number, a name, a range or *',
    "crontab.minute": "minute",
    "crontab.hour": "hour",
    "crontab.day": "day of month",
    "crontab.month": "month",
    "crontab.weekday": "day of week",
    # durations and sizes
    "unit.unknown": "not understood",
    "unit.rounds": "rounds to 0 {unit}",
    "unit.years": "above ten years",
    "unit.zero": "write 0 or more",
    "unit.duration": "write a whole number, then one of {units} or nothing",
    "unit.exbibyte": "above 1 EiB",
    # failover rules
    "rule.wrong": (
        "<failover>: {label}: column {column}: {observed};"
        " write `label: if (class.id == state) then action();`"
    ),
    "rule.no_label": "(no label)",
    "rule.ends": "the text ends where {wanted} is expected",
    "rule.expected": '"{found}" where {wanted} is expected',
    "rule.wants": "{wanted} is expected",
    "rule.is_no_label": '"{text}" is no label',
    "rule.label_twice": "two rules have this label",
    "rule.label_in_both": "two rules have this label, one in each notation",
    "rule.is_no_action": '"{text}" is no action; allowed: {allowed}',
    "rule.is_no_state": '"{text}" is no state; allowed: {allowed}',
    "rule.is_no_resource": '"{text}" is no resource: class.id is expected',
    "rule.is_no_class": '"{text}" is no class of resources; known: {known}',
    "rule.deep": "nested too deep",
    "rule.neither": "neither {one} nor {other}",
    "rule.a_label": "a label",
    "rule.an_action": "an action",
    "rule.a_resource": "a resource",
    "rule.a_state": "a state",
    # what this host cannot give
    "host.interface": (
        '<interface>: attribute "name": no interface "{name}" on this host{nearest};'
        " allowed: {allowed}"
    ),
    "host.no_directory": (
        '<replicated>: attribute "dir": {directory} does not exist;'
        " create it on both nodes, or correct the path"
    ),
    "host.not_directory": (
        '<replicated>: attribute "dir": {directory} is not a directory;'
        " create it on both nodes, or correct the path"
    ),
    "host.mount_beneath": (
        '<replicated>: attribute "dir": {directory}: {beneath} is a mount point beneath it,'
        " whose files would not be replicated; replicate {beneath} by its own <replicated>,"
        " or unmount it"
    ),
    "host.subvolume": (
        '<replicated>: attribute "dir": {directory}: {beneath} is a btrfs subvolume beneath it,'
        " which is a filesystem of its own; replace it by a plain directory"
    ),
    "host.tocheck": (
        '<replicated>: attribute "dir": {directory}: {path} of <tocheck> is missing;'
        " is the right disk mounted?"
    ),
    "host.linked": (
        '<replicated>: attribute "dir": {directory} leads through a symbolic link to what'
        " {other} holds; keep one"
    ),
    "host.own": (
        '<replicated>: attribute "dir": {directory} overlaps {own}, which mirror itself needs;'
        " move one"
    ),
    "host.shared": (
        '<replicated>: attribute "dir": {directory} overlaps {held} of module {module};'
        " a directory belongs to one module only"
    ),
    "host.address_held": (
        '<virtual_addr>: attribute "addr": {address} is held by module {module};'
        " choose another address"
    ),
    "host.address_unknown": (
        '<virtual_addr>: attribute "addr": {address} is not known to name resolution;'
        " write the address itself"
    ),
    "host.address_nobodys": (
        '<virtual_addr>: attribute "addr": {address} cannot be held by a node;'
        " choose a unicast address"
    ),
    "host.address_nowhere": (
        '<virtual_addr>: attribute "addr": {address} is on no network of this host;'
        " networks here: {networks}"
    ),
    "host.none": "none",
}

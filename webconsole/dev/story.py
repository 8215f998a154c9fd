"""What the fixture tells: four modules in four situations, and answers to everything else."""

import math
import random
import time

BEGAN = time.time()
GIB = 1 << 30
XML = """<?xml version="1.0"?>
<!DOCTYPE safe>
<safe>
  <service mode="mirror" defaultprim="alone" maxloop="3" loop_interval="24h" failover="on">
    <heart profile="fast">
      <heartbeat name="lan1" ident="flow"/>
      <heartbeat name="lan2"/>
    </heart>
    <vip>
      <interface_list>
        <interface check="on" arpreroute="on">
          <real_interface>
            <virtual_addr addr="10.0.0.50" where="one_side_alias"/>
          </real_interface>
        </interface>
      </interface_list>
    </vip>
    <!-- the data directory of the cluster -->
    <rfs async="second" barrier="write" acl="on">
      <replicated dir="/var/lib/postgresql" mode="read_only"/>
    </rfs>
    <user nicestoptimeout="300s" forcestoptimeout="300s"/>
    <errd polltimer="10">
      <proc name="postgres" atleast="1" action="restart" class="prim"/>
    </errd>
  </service>
</safe>
"""
SCRIPT = """#!/bin/bash
# Starts the application on the node that serves.
set -u

for service in ${SERVICES//,/ }; do
    systemctl start "$service" || {
        "$SAFE/safekit" printe "start_prim: $service failed"
        "$SAFE/safekit" stop -i start_prim
        exit 1
    }
done
"""
FILES = {"bin/start_prim": SCRIPT, "bin/stop_prim": SCRIPT.replace("start", "stop"), "bin/prestart": "#!/bin/bash\nexit 0\n", "conf/userconfig.xml": XML}
COMMANDS = {}


def us(seconds_ago):
    return int((time.time() - seconds_ago) * 1e6)


def side(node, state, ready, **more):
    disk = {"used_bytes": int(82 * GIB), "total_bytes": 200 * GIB}
    return {"node": node, "state": state, "ready": ready, "since_us": int((BEGAN - 524_000) * 1e6), "disk": disk, "loops": {"done": 0, "max": 3}, **more}


def module(name, node, states, **more):
    """states: {node: (state, ready)}."""
    state, ready = states[node]
    peer = "n2" if node == "n1" else "n1"
    running = state in {"PRIM", "ALONE"}
    local = side(node, state, ready, application={"running": running, "since_us": int((BEGAN - 524_000) * 1e6)})
    if running:
        local["processes"] = [{"name": "postgres", "class": "prim", "running": 9, "atleast": 1, "action": "restart"}]
    beats = {
        lan: {"silent": more.get("cut", False), "lost": 3 if lan == "lan2" else 0, "jitter_p99_us": 410 + random.randint(0, 80), "rtt_us": rtt}
        for lan, rtt in (("lan1", 700), ("lan2", 400))
    }
    return {
        "module": name, "id": 1, "installed": True, "configured": True, "state": state, "ready": ready, "local": local,
        "remote": {"node": peer, "state": states[peer][0], "ready": states[peer][1]} if not more.get("cut") else {"node": peer, "state": "UNKNOWN", "ready": "Unknown"},
        "safety": "", "reason": more.get("reason", ""), "row": more.get("row", ""), "action": "", "progress": more.get("progress") if running else None,
        "rfs": {}, "replication": more.get("replication", {}), "directories": ["/var/lib/" + name], "virtual_ips": more.get("vips", ["10.0.0.50"]),
        "boot": "on", "generation": "9f3a07c1", "heartbeats": beats if state != "STOP" else {},
        **{key: value for key, value in more.items() if key in {"split", "incidents", "alone_since_us"}},
    }


def figures(scale=1.0, **more):
    wave = 1 + 0.35 * math.sin(time.time() / 9) + random.random() * 0.15
    return {"bytes_s": int(12.4e6 * scale * wave), "writes_s": int(2600 * scale * wave), "p50_us": int(48 * (0.9 + wave / 10)), "p99_us": int(190 * wave), "waiting": random.randint(0, 2), "lag_ms": 900 + random.randint(0, 300), "age_ms": 40, **more}


def node_state(node, reachable=True):
    elapsed = time.time() - BEGAN
    done = int(min(0.97, 0.4 + elapsed / 900) * 13 * GIB)
    progress = {"phase": "data", "bytes_done": done, "bytes_total": 13 * GIB, "files_done": 1204, "files_total": 1873, "rate_bytes_s": 93 << 20, "eta_ms": int((13 * GIB - done) / (93 << 20) * 1000), "pending": ["spool/inbox/2291.eml", "spool/inbox/2292.eml", "index/main.db"]}
    pg = COMMANDS.get("postgresql", {"n1": ("PRIM", "Ready"), "n2": ("SECOND", "Ready")})
    all_modules = {
        "postgresql": module("postgresql", node, pg, reason="Action prim called by heart: the other node holds everything", row="S4", replication=figures()),
        "mail": module("mail", node, {"n1": ("ALONE", "Ready"), "n2": ("SECOND", "Transient")}, progress=progress, vips=["10.0.0.51"], reason="Reintegration started (synchronize)", row="A7", replication=figures(0.3)),
        "licence": module("licence", node, {"n1": ("ALONE", "Ready"), "n2": ("ALONE", "Ready")}, vips=["10.0.0.52"], split={"since_us": us(4200), "files": 31}, cut=True, reason="Split brain: both nodes moved on from the same base", row="G7"),
        "archive": module("archive", node, {"n1": ("ALONE", "Ready"), "n2": ("STOP", "NotReady")}, vips=[], alone_since_us=us(252), replication=figures(0.1, changed_bytes=int(1.3 * GIB)), reason="Action alone called by heart: remote stop", row="P9",
            incidents=[{"kind": "disk", "node": "n1", "at_us": us(1900), "facts": {"free_bytes": 9 * GIB, "full_in_ms": 5_400_000}}] if node == "n1" else []),
        "newapp": module("newapp", node, {"n1": ("WAIT", "NotReady"), "n2": ("WAIT", "NotReady")}, vips=["10.0.0.60"], reason="Data may be not uptodate for replicated directories (wait for the start of the remote server)", row="E3"),
    }
    all_modules["newapp"]["generation"] = ""
    return {"node": node, "time_us": us(0 if reachable else 8), "reachable": reachable, "observed": "" if reachable else "no answer in time", "control_plane": {"reachable": True, "observed": ""}, "modules": all_modules}


SENTENCES = [("E", "heart", "Local state PRIM Ready"), ("S", "start_prim", "waiting for server to start.... done"), ("E", "heart", "Remote state SECOND Ready"), ("I", "rfsplug", "checkpoint 40217: both disks hold everything"), ("U", "printi", "backup label written"), ("W", "errd", "postgres: 9 processes, as wanted"), ("E", "reintegre", "Reintegration ended (synchronize): 214 files, 1.3 GiB compared, 41.2 MiB copied, 14.1 s, 92.3 MiB/s")]
COUNT = 0


def new_lines():
    global COUNT
    COUNT += 1
    if COUNT % 4:
        return []
    level, source, text = random.choice(SENTENCES)
    return [{"node": random.choice(["n1", "n2"]), "time_us": us(0), "module": name, "entry": {"id": 100_000 + COUNT, "time_us": us(0), "level": level, "source": source, "text": text}} for name in ("postgresql", "mail")]


def check(xml):
    errors = []
    for number, line in enumerate(xml.splitlines(), 1):
        if "nbri" in line:
            errors.append({"field": "", "file": "userconfig.xml", "line": number, "element": "rfs", "attribute": "nbri", "sentence": '<rfs>: attribute "nbri": unknown', "hint": 'did you mean "nbrei"?'})
        if 'dir=""' in line:
            errors.append({"field": "", "file": "userconfig.xml", "line": number, "element": "replicated", "attribute": "dir", "sentence": '<replicated>: attribute "dir": empty', "hint": "give an absolute path"})
    return errors


def timeline(node):
    first = [("STOP", "NotReady", 86_400 * 9, 86_400 * 8), ("WAIT", "Transient", 86_400 * 8, 86_400 * 8 - 9)]
    if node == "n1":
        rows = [*first, ("PRIM", "Ready", 86_400 * 8 - 9, 2980), ("STOP", "NotReady", 2980, 1900), ("WAIT", "Transient", 1900, 1890), ("SECOND", "Transient", 1890, 1300), ("SECOND", "Ready", 1300, 700), ("PRIM", "Ready", 700, 0)]
    else:
        rows = [*first, ("SECOND", "Ready", 86_400 * 8 - 9, 2979), ("ALONE", "Transient", 2979, 2978.9), ("ALONE", "Ready", 2978.9, 1300), ("PRIM", "Ready", 1300, 701), ("SECOND", "Ready", 700, 0)]
    return [{"state": s, "ready": r, "from_us": us(a), "until_us": us(b) if b else None, "row": "S5"} for s, r, a, b in rows]


def results(sentence="the configuration is in force", done=True):
    return {"done": done, "results": [{"node": node, "done": done, "status": 200, "sentence": sentence, "code": "", "errors": [], "notices": []} for node in ("n1", "n2")]}


def split():
    def files(node):
        names = ["spool/requests.db", "spool/requests.db-wal", "licences/2026-11.lic", f"log/{node}.log", "tmp/lock"]
        return [{"file": name, "bytes": 4096 * (index * 7 + 3 + len(node)), "time_us": us(600 - index * 60), "both": index < 2, "deleted": index == 4} for index, name in enumerate(names)]
    return {"since_us": us(4200), "sides": [{"node": "n1", "was_primary": True, "bytes": 48 << 20, "last_write_us": us(30), "clients": ["10.0.0.21", "10.0.0.34"], "files": files("n1"), "files_more": 12}, {"node": "n2", "was_primary": False, "bytes": 3 << 20, "last_write_us": us(1900), "clients": ["10.0.0.99"], "files": files("n2"), "files_more": 0}]}


def reply(method, path, query, body, node):
    parts = path.strip("/").split("/")
    match [method, *parts]:
        case ["GET", "state"]:
            return 200, node_state(node)
        case ["POST", "tickets"]:
            return 200, {"ticket": "t" + str(random.random()), "expires_us": us(-900)}
        case ["GET", "cluster"]:
            nodes = [{"name": name, "this": name == node, "addresses": [{"lan": "lan1", "address": f"10.0.0.{number}"}, {"lan": "lan2", "address": f"10.0.1.{number}"}], "reachable": True, "observed": "", "seen": "", "clock_difference_ms": None if name == node else 1.8, "about": {"node": name, "host": name, "system": "Debian 12", "version": "0.1.0", "time_us": us(0), "urls": [f"http://localhost:{port}"], "signature": "a1b2", "certificate_expires_us": us(-86_400 * 410)}} for name, number, port in (("n1", 11, 19010), ("n2", 12, 19011))]
            return 200, {"configured": True, "node": node, "lans": [{"name": "lan1", "command": True}, {"name": "lan2", "command": False}], "nodes": nodes, "same_configuration": True, "secured": True, "makes_certificates": True}
        case ["GET", "cluster", "config"]:
            return 200, {"xml": '<?xml version="1.0"?>\n<cluster>\n  <lans>\n    <lan name="lan1" command="on">\n      <node name="n1" addr="10.0.0.11"/>\n      <node name="n2" addr="10.0.0.12"/>\n    </lan>\n    <lan name="lan2">\n      <node name="n1" addr="10.0.1.11"/>\n      <node name="n2" addr="10.0.1.12"/>\n    </lan>\n  </lans>\n</cluster>\n', "etag": "e", "signature": "a1b2"}
        case ["PUT", "cluster", "config"]:
            return 200, results("the cluster is configured")
        case ["POST", "cluster", "token"]:
            return 200, {"node": body["node"], "token": "mirror-join-1.eyJhIjoiMTAuMC4wLjExOjQ4MDAiLCJmIjoiYTFiMmMzIn0.Zk3qv0", "waiting": True, "joined_from": "", "failed": ""}
        case ["GET", "packages"]:
            return 200, {"packages": [{"name": "mirror", "kind": "shipped", "readme": "# mirror\n\nAny application: directories, an address, services to start and stop.\n"}, {"name": "postgresql", "kind": "shipped", "readme": "# postgresql\n\nA PostgreSQL server with its data directory.\n"}]}
        case ["GET", "users"]:
            return 200, {"users": [{"name": "admin", "role": "Admin", "created_us": us(9e6), "changed_us": us(9e5)}, {"name": "night", "role": "Control", "created_us": us(9e6), "changed_us": us(8e5)}, {"name": "screen", "role": "Monitor", "created_us": us(9e6), "changed_us": us(7e5)}]}
        case ["GET", "tokens"]:
            return 200, {"tokens": [{"id": 1, "label": "prometheus", "role": "Monitor", "created_us": us(9e5), "created_by": "admin", "expires_us": us(-9e6), "used_us": us(12)}]}
        case ["POST", "tokens"]:
            return 200, {"token": {"id": 2, "label": body["label"], "role": body["role"]}, "secret": "mirror_8fQ2rV1mXoY7Zk"}
        case ["GET", "audit"]:
            rows = [("admin", "Admin", "10.0.0.5", "start", "postgresql", "done"), ("night", "Control", "10.0.0.7", "swap", "postgresql", "done"), ("night", "Control", "10.0.0.7", "save userconfig.xml", "mail", "not allowed: PUT /api/v1/modules/mail/config: Control; Admin is needed (MIR-802)"), ("token prometheus", "Monitor", "10.0.0.40", "sign in", "", "done")]
            return 200, {"entries": [{"id": i, "time_us": us(60 * i * i), "name": a, "role": b, "origin": c, "via": "session", "module": e, "what": d, "detail": "", "result": f, "status": 200, "duration_ms": 12} for i, (a, b, c, d, e, f) in enumerate(rows, 1)], "next_before": None}
        case ["POST", "userconfig", "check"]:
            errors = check(body["xml"])
            return 200, {"valid": not errors, "errors": errors, "notices": [], "values": None}
        case ["GET", "host", "directories"]:
            at = query["path"].rstrip("/")
            names = {"": ["etc", "home", "opt", "srv", "usr", "var"], "/var": ["lib", "log", "tmp"], "/var/lib": ["docker", "mirror", "postgresql"]}.get(at, [])
            warnings = ["it is a mount point of tmpfs: what is there is lost at the next boot"] if at == "/var/tmp" else []
            return 200, {"path": at or "/", "parent": "", "names": names, "more": False, "filesystem": "ext4", "bytes_total": 200 * GIB, "bytes_free": 118 * GIB, "empty": not names, "warnings": warnings, "error": ""}
        case ["GET", "host", "address"]:
            given = query["address"]
            return 200, {"given": given, "addresses": [given], "interface": "eth0" if given.startswith("10.0.0") else "", "answers": given.endswith(".1"), "sentence": ""}
        case ["GET", "modules", _, "timeline"]:
            return 200, {"module": parts[1], "node": node, "from_us": us(9e5), "periods": timeline(node), "served_us": 0}
        case ["GET", "modules", _, "resources"]:
            names = {"intf.lan1": "up", "ip.10.0.0.50": "up", "tcp.postgres": "up", "ping.gateway": "up", "custom.backup": "down" if node == "n2" else "up", "heartbeat.lan1": "up", "rfs.uptodate": "up"}
            return 200, {"module": parts[1], "resources": {name: {"value": value, "time_us": us(5200)} for name, value in names.items()}}
        case ["GET", "modules", _, "log"]:
            return 200, {"module": parts[1], "node": node, "last_id": 40, "entries": [{"id": i, "time_us": us(4000 - i * 97 + (31 if node == "n2" else 0)), "level": SENTENCES[i % 7][0], "source": SENTENCES[i % 7][1], "text": SENTENCES[i % 7][2]} for i in range(1, 41)]}
        case ["GET", "modules", _, "outputs"]:
            return 200, {"module": parts[1], "outputs": [{"name": "userlog_2026-11-20T120211_start_prim.ulog", "bytes": 412, "changed_us": us(700)}]}
        case ["GET", "modules", _, "outputs", name]:
            return 200, {"name": name, "offset": 0, "next_offset": 412, "bytes": 412, "text": "waiting for server to start.... done\nserver started\n"}
        case ["GET", "modules", _, "config"]:
            return 200, {"module": parts[1], "xml": FILES["conf/userconfig.xml"], "etag": "1", "edited": "a", "applied": "b", "differs": FILES["conf/userconfig.xml"] != XML}
        case ["PUT", "modules", _, "config"]:
            FILES["conf/userconfig.xml"] = body["xml"]
            return 200, {"etag": "2"}
        case ["POST", "modules", _, "config", what]:
            errors = check(FILES["conf/userconfig.xml"])
            if errors:
                return 200, {"done": False, "results": [{"node": n, "done": False, "status": 422, "sentence": "configuration refused: userconfig.xml: 1 error; correct it (MIR-101)", "code": "MIR-101", "errors": errors, "notices": []} for n in ("n1", "n2")]}
            return 200, results("the configuration is valid" if what == "check" else "the configuration is in force")
        case ["GET", "modules", _, "diff"]:
            return 200, {"files": [{"path": "conf/userconfig.xml", "change": "changed", "diff": '--- before\n+++ after\n@@ -4,3 +4,3 @@\n <safe>\n-  <service mode="mirror" maxloop="3">\n+  <service mode="mirror" maxloop="5">\n'}]}
        case ["GET", "modules", _, "kept"]:
            return 200, {"module": parts[1], "kept": [{"name": f"{parts[1]}.00000{n}.safe", "time_us": us(86_400 * (4 - n)), "signature": "x"} for n in (3, 2, 1)]}
        case ["GET", "modules", _, "files"]:
            return 200, {"module": parts[1], "files": [{"path": name, "bytes": len(text), "changed_us": us(900), "executable": True} for name, text in FILES.items()]}
        case ["GET", "modules", _, "files", *rest]:
            name = "/".join(rest)
            return 200, {"file": {"path": name}, "content": FILES.get(name, ""), "etag": "1", "binary": False}
        case ["PUT", "modules", _, "files", *rest]:
            FILES["/".join(rest)] = body["content"]
            return 200, {"etag": "2"}
        case ["GET", "modules", _, "facts"]:
            if node == "n1":
                return 200, {"bytes": int(13.4 * GIB), "files": 20_431, "generation": "", "newest": [{"file": "base/16384/2619", "time_us": us(3600)}, {"file": "pg_wal/0000000100000A", "time_us": us(3700)}]}
            return 200, {"bytes": 38 << 20, "files": 912, "generation": "", "newest": [{"file": "base/1/112", "time_us": us(864_000)}]}
        case ["GET", "modules", _, "split"]:
            return 200, split()
        case ["GET", "modules", _, "aside"]:
            return 200, {"items": [{"id": "1", "file": "licences/2026-10.lic", "node": "n2", "bytes": 2048, "time_us": us(86_400 * 20), "reason": "split brain of 31 October, n1 was kept"}]}
        case ["POST", "modules", name, "commands"]:
            if body["verb"] == "swap":
                now = COMMANDS.get(name, {"n1": ("PRIM", "Ready"), "n2": ("SECOND", "Ready")})
                COMMANDS[name] = {"n1": now["n2"], "n2": now["n1"]}
            if body["verb"] == "forcestop":
                return 409, "command refused: forcestop: the application is in a stop already; wait (MIR-402)"
            return 200, {"module": name, "verb": body["verb"], "said": f"{body['verb']} asked: {name}"}
        case ["POST", "modules"]:
            if body["module"] == "bad":
                return 422, {"detail": "module name refused: bad (MIR-103)", "errors": [{"field": "module", "sentence": "this name is refused", "hint": "choose another"}]}
            return 200, {"modules": []}
        case _:
            return 404, f"not found: {method} {path}: no such route; see /api/v1/openapi.json (MIR-807)"

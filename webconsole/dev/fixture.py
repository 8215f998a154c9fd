"""A fixture, not the product: answers the console's requests with made-up values of the API's shapes.

For looking at pages in states that are hard to reach. `python3 fixture.py` serves two "nodes" on
ports 19010 and 19011 out of mirror/web/static, with the strict CSP of the real server; any password
is right except `wrong`. `kill` (POST /dev/die) makes a node silent, as power loss does.
"""

import json
import mimetypes
import random
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

sys.path.insert(0, str(Path(__file__).parent))
import story  # noqa: E402

STATIC = Path(__file__).parents[2] / "mirror" / "web" / "static"
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self';"
    " connect-src 'self'; manifest-src 'self'; worker-src 'self'; form-action 'none';"
    " base-uri 'none'; frame-ancestors 'none'"
)
PORTS = {"n1": 19010, "n2": 19011}
DEAD = set()
SESSIONS = {}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def node(self):
        return next(name for name, port in PORTS.items() if port == self.server.server_port)

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.answer("GET")

    do_POST = do_PUT = do_DELETE = lambda self: self.answer(self.command)

    def answer(self, method):
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        parts = urlsplit(self.path)
        if parts.path == "/dev/die":
            DEAD.add(self.node)
            return self.send_json(200, {})
        if parts.path == "/dev/live":
            DEAD.clear()
            return self.send_json(200, {})
        while self.node in DEAD:
            time.sleep(0.2)
        if not parts.path.startswith("/api/v1"):
            return self.send_file(parts.path)
        path = parts.path.removeprefix("/api/v1")
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        node = self.node
        if path.startswith("/nodes/"):
            node, _, rest = path.removeprefix("/nodes/").partition("/")
            path = "/" + rest
        body = {}
        if raw and "json" in (self.headers.get("Content-Type") or ""):
            body = json.loads(raw)
        if path.startswith("/session"):
            return self.session(method, path, body)
        if self.cookie() not in SESSIONS:
            return self.problem(401, "MIR-801", "sign in first (MIR-801)")
        if path == "/events":
            return self.events()
        if node in DEAD and node != self.node:
            return self.problem(502, "MIR-810", f"{node} does not answer: 10.0.0.12: no answer in time (MIR-810)")
        status, value = story.reply(method, path, query, body, node)
        if status >= 400:
            return self.problem(status, "MIR-804", value if isinstance(value, str) else "", value)
        return self.send_json(status, value)

    def cookie(self):
        for part in (self.headers.get("Cookie") or "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == f"fixture{self.server.server_port}":
                return value
        return ""

    def session(self, method, path, body):
        name = SESSIONS.get(self.cookie(), "")
        cookie = ""
        if method == "POST":
            if body.get("password") == "wrong":
                return self.problem(401, "MIR-803", "sign-in refused: name or password is wrong; try again (MIR-803)")
            name, cookie = body.get("name", "admin"), f"{random.getrandbits(64):x}"
            SESSIONS[cookie] = name
        if method == "DELETE":
            SESSIONS.pop(self.cookie(), None)
            name = ""
        role = {"monitor": "Monitor", "control": "Control"}.get(name, "Admin")
        value = {"signed_in": bool(name), "name": name, "role": role if name else None, "via": "session", "csrf": "c", "expires_us": 0, "first_start": False, "node": self.node}
        return self.send_json(200, value, cookie)

    def events(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        number = 0

        def send(event, value, numbered=True):
            nonlocal number
            number += 1
            head = f"id: {number}\n" if numbered else ""
            self.wfile.write(f"{head}event: {event}\ndata: {json.dumps(value)}\n\n".encode())
            self.wfile.flush()

        while True:
            while self.node in DEAD:
                time.sleep(0.1)
            for name in PORTS:
                document = story.node_state(name, reachable=name not in DEAD)
                send("snapshot", document)
            for line in story.new_lines():
                send("log", line)
            send("beat", {"node": self.node, "time_us": int(time.time() * 1e6), "nodes": {}}, numbered=False)
            time.sleep(1)

    def send_file(self, path):
        file = STATIC / path.lstrip("/")
        if not file.is_file():
            file = STATIC / "index.html"
        content = file.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", mimetypes.guess_type(file.name)[0] or "text/html")
        self.send_header("Content-Security-Policy", CSP)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def problem(self, status, code, sentence, value=None):
        errors = value.get("errors", []) if isinstance(value, dict) else []
        sentence = value.get("detail", sentence) if isinstance(value, dict) else sentence
        self.send_json(status, {"type": f"urn:mirror:{code}", "title": "", "status": status, "detail": sentence, "code": code, "errors": errors})

    def send_json(self, status, value, cookie=""):
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        if cookie:
            self.send_header("Set-Cookie", f"fixture{self.server.server_port}={cookie}; Path=/; HttpOnly; SameSite=Strict")
        self.end_headers()
        self.wfile.write(content)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, *_):
        pass  # a browser that went away


if __name__ == "__main__":
    servers = [Server(("127.0.0.1", port), Handler) for port in PORTS.values()]
    for server in servers[1:]:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    servers[0].serve_forever()

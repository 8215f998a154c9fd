"""An OpenID Connect provider on loopback, and an LDAP directory: as the console meets them."""

import base64
import contextlib
import hashlib
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from tests.free_port import free_port

CLIENT, SECRET = "mirror", "planted-client-secret"
SCHEMAS = Path("/etc/ldap/schema")
SEARCHER = "cn=searcher,dc=example,dc=org"
SEARCHER_PASSWORD = "planted-search-password"
NORA = "a very long secret of nora"
LDIF = f"""
dn: dc=example,dc=org
objectClass: domain
dc: example

dn: {SEARCHER}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: searcher
userPassword: {SEARCHER_PASSWORD}

dn: ou=people,dc=example,dc=org
objectClass: organizationalUnit
ou: people

dn: uid=nora,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
uid: nora
cn: Nora
sn: N
userPassword: {NORA}

dn: uid=otto,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
uid: otto
cn: Otto
sn: O
userPassword: {NORA}

dn: ou=groups,dc=example,dc=org
objectClass: organizationalUnit
ou: groups

dn: cn=operators,ou=groups,dc=example,dc=org
objectClass: groupOfNames
cn: operators
member: uid=nora,ou=people,dc=example,dc=org
"""


def b64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


@dataclass
class Provider:
    """Signs in whoever comes, as `claims` says, with an RSA or an EC key."""

    claims: dict[str, Any] = field(default_factory=dict)
    algorithm: str = "RS256"
    rsa_key: rsa.RSAPrivateKey = field(
        default_factory=lambda: rsa.generate_private_key(65_537, 2048)
    )
    ec_key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    issuer: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def authorize(self, query: dict[str, str]) -> str:
        """The person agrees: where the browser goes back to."""
        code = f"code-{len(self._codes)}"
        self._codes[code] = query
        return query["redirect_uri"] + "?" + urlencode({"code": code, "state": query["state"]})

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        self.asked.append(form)
        begun = self._codes.pop(form.get("code", ""), None)
        given = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        challenge = b64(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if given != f"{CLIENT}:{SECRET}":
            return 401, {"error": "invalid_client"}
        if begun is None or begun["code_challenge"] != challenge:
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "sub": "1", "iat": now, "exp": now + 60}
        claims |= {"nonce": begun["nonce"]} | self.claims
        return 200, {"id_token": self.signed(claims), "token_type": "Bearer"}

    def signed(self, claims: dict[str, Any]) -> str:
        header = {"alg": self.algorithm, "kid": self.algorithm, "typ": "JWT"}
        text = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}"
        if self.algorithm == "RS256":
            signature = self.rsa_key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
        elif self.algorithm == "ES256":
            r, s = decode_dss_signature(self.ec_key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
            signature = r.to_bytes(32) + s.to_bytes(32)
        else:
            signature = b""
        return f"{text}.{b64(signature)}"

    @property
    def keys(self) -> list[dict[str, str]]:
        numbers = self.rsa_key.public_key().public_numbers()
        point = self.ec_key.public_key().public_numbers()
        return [
            {"kty": "RSA", "kid": "RS256", "n": b64(numbers.n.to_bytes(256)), "e": "AQAB"},
            {
                "kty": "EC",
                "kid": "ES256",
                "crv": "P-256",
                "x": b64(point.x.to_bytes(32)),
                "y": b64(point.y.to_bytes(32)),
            },
        ]

    def document(self) -> dict[str, str]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
        }


@contextlib.contextmanager
def provider() -> Iterator[Provider]:
    """A provider that answers until the block ends."""
    made = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/authorize":
                query = {name: one[0] for name, one in parse_qs(parts.query).items()}
                self.send_response(302)
                self.send_header("location", made.authorize(query))
                self.end_headers()
                return
            found = made.document() if "well-known" in parts.path else {"keys": made.keys}
            self.answer(200, found)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            form = {name: one[0] for name, one in parse_qs(body).items()}
            self.answer(*made.token(form, self.headers.get("authorization", "")))

        def answer(self, status: int, value: object) -> None:
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(value).encode())

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.issuer = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def slapd(root: Path, certificate: Path, key: Path, authority: Path) -> Iterator[tuple[str, str]]:
    """The distribution's directory server, on loopback: its ldap and ldaps addresses.

    It listens on the same ports of 127.0.0.2 too.
    """
    installed = shutil.which("slapd", path="/usr/sbin:/usr/bin")
    assert installed, "make setup installs it"
    # A copy: Ubuntu's AppArmor profile of the installed one lets it read nothing of ours.
    program = shutil.copy(installed, root / "slapd")
    (root / "data").mkdir()
    (root / "slapd.conf").write_text(
        "".join(f"include {SCHEMAS}/{one}.schema\n" for one in ("core", "cosine", "inetorgperson"))
        + f"pidfile {root}/pid\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\n"
        f"TLSCACertificateFile {authority}\nTLSCertificateFile {certificate}\n"
        f"TLSCertificateKeyFile {key}\n"
        "database mdb\nsuffix dc=example,dc=org\n"
        f"directory {root}/data\nmaxsize 16777216\n"
        "access to attrs=userPassword by anonymous auth by * none\n"
        f'access to * by dn.exact="{SEARCHER}" read by * none\n'
    )
    (root / "all.ldif").write_text(LDIF)
    added = subprocess.run(
        ["slapadd", "-q", "-f", str(root / "slapd.conf"), "-l", str(root / "all.ldif")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert added.returncode == 0, added.stderr
    ports = free_port(), free_port()
    urls = f"ldap://127.0.0.1:{ports[0]}", f"ldaps://127.0.0.1:{ports[1]}"
    listened = (*urls, *(one.replace("127.0.0.1", "127.0.0.2") for one in urls))
    process = subprocess.Popen(
        [program, "-d", "0", "-h", " ".join(listened), "-f", str(root / "slapd.conf")]
    )
    try:
        end = time.monotonic() + 90
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", ports[1])):
                break
            assert process.poll() is None, "slapd does not start"
            assert time.monotonic() < end, "slapd does not answer"
            time.sleep(0.02)
        yield urls
    finally:
        process.terminate()
        process.wait(60)

"""Sentences of what is outside: network, TLS, files, sign-in, mail, webhooks (said.py)."""

TEMPLATES: dict[str, str] = {
    # why it failed, by what the system or a library said
    "why.refused": "it refuses the connection",
    "why.broke_off": "it broke the connection off",
    "why.no_route": "no network leads there",
    "why.no_name": "its name is not known to name resolution",
    "why.certificate": "its certificate is not accepted: {observed}",
    "why.tls": "no TLS with it: {observed}",
    "why.absent": "it does not exist",
    "why.no_directory": "it is no directory",
    "why.directory": "it is a directory",
    "why.denied": "access to it is denied",
    "why.no_program": "it is no program that this system can run",
    "why.disk": "its disk reports an error",
    "why.gone": "its file system does not answer any more",
    "why.full": "its disk is full",
    "why.quota": "its quota is exceeded",
    "why.read_only": "its file system is read-only",
    "why.cited": "\u201c{words}\u201d",
    # the certificate of an authority, as it was pasted
    "why.authority": "the authority's certificate is not understood",
    # answers over HTTP
    "http.answers": "it answers {status}",
    "http.not_understood": "{url} is not understood",
    # an LDAP directory
    "ldap.no_search": "it refuses the search account",
    # an OpenID Connect provider
    "oidc.not_begun": "this browser began no such sign-in; begin again",
    "oidc.issuer": "it describes itself as another issuer",
    "oidc.lacks": "its description has no {name}",
    "oidc.no_token": "it gives no ID token: {observed}",
    "oidc.parts": "the ID token has not three parts",
    "oidc.signed": "the ID token is signed by nobody we know",
    "oidc.token_issuer": "the ID token is of another issuer",
    "oidc.audience": "the ID token is for somebody else",
    "oidc.ended": "the ID token has ended; are the clocks right?",
    "oidc.nonce": "the ID token answers another request",
    "oidc.not_understood": "the ID token is not understood",
    # a mail server, the administrator's command
    "mail.refused": "it refuses name or password ({status})",
    "mail.answers": "it answers {status}: {observed}",
    "mail.recipients": "it refuses every recipient: {observed}",
    "mail.no_starttls": "it offers no STARTTLS",
    "mail.no_sign_in": "it takes no name and password; leave them empty",
    "command.late": "it ran longer than {seconds} s",
    "command.code": "exit code {status}",
}

"""Name and password checked by an LDAP directory. Blocking, bounded: use `asyncio.to_thread`.

The person is searched for, then the directory itself is asked to believe the password (a bind as
that person). Groups are those of `memberOf`, and those that name the person as a member.
"""

import ssl
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

with warnings.catch_warnings():
    # It asks its ASN.1 library for names that are called otherwise by now; they are still there.
    warnings.simplefilter("ignore", DeprecationWarning)
    import ldap3
    from ldap3.core.exceptions import LDAPException
    from ldap3.utils.conv import escape_filter_chars

from mirror.adapters.console.roles import Role
from mirror.adapters.failures import failure_of
from mirror.adapters.signin.settings import LdapSettings
from mirror.adapters.signin.trust import context_of
from mirror.errors import SignInServiceFailed
from mirror.vocabulary.said import Said, say

ANSWER_S = 8
MEMBER_OF = "memberOf"
GROUPS_MAX = 1000


class _Tls(ldap3.Tls):  # type: ignore[misc]
    """OpenSSL compares the name or address; ldap3 knows no address since Python 3.12."""

    def wrap_socket(
        self,
        connection: ldap3.Connection,
        do_handshake: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self.ca_certs_data:
            context.load_verify_locations(cadata=self.ca_certs_data)
        else:
            context.load_default_certs()
        connection.socket = context.wrap_socket(
            connection.socket,
            do_handshake_on_connect=do_handshake,
            server_hostname=connection.server.host,
        )


def verify(settings: LdapSettings, name: str, password: str) -> Role | None:
    """The role of this person; None when name or password is wrong, or no group has a role.

    Raises: SignInServiceFailed (MIR-821) when the directory cannot be asked.
    """
    if not name or not password:
        return None  # a bind without a password succeeds, and proves nothing
    try:
        with _connected(settings, settings.bind_dn, settings.bind_password) as searching:
            if not searching.bound:
                raise _failed(settings, say("ldap.no_search"))
            entry = _person(searching, settings, name)
            if entry is None:
                return None
            person, groups = entry
            groups += _groups(searching, settings, person)
        with _connected(settings, person, password) as proving:
            if not proving.bound:
                return None
    except (LDAPException, OSError, TypeError, ValueError) as error:
        raise _failed(settings, failure_of(error)) from error
    return settings.roles.role_of([person, *groups])


@contextmanager
def _connected(settings: LdapSettings, who: str, password: str) -> Iterator[ldap3.Connection]:
    """A connection that was asked to bind; `bound` tells whether it is."""
    if settings.ca:
        context_of(settings.ca)  # what ldap3 says of one that is none names no field
    tls = _Tls(validate=ssl.CERT_REQUIRED, ca_certs_data=settings.ca or None)
    server = ldap3.Server(settings.url, connect_timeout=ANSWER_S, tls=tls, get_info=ldap3.NONE)
    connection = ldap3.Connection(
        server,
        user=who or None,
        password=password or None,
        authentication=ldap3.SIMPLE if who else ldap3.ANONYMOUS,
        receive_timeout=ANSWER_S,
        auto_referrals=False,
        read_only=True,
    )
    try:
        connection.open()
        if settings.starttls:
            connection.start_tls()
        connection.bind()
        yield connection
    finally:
        connection.unbind()
        if connection.socket is not None:
            connection.socket.close()  # left open when nothing answered


def _person(
    searching: ldap3.Connection, settings: LdapSettings, name: str
) -> tuple[str, list[str]] | None:
    """Distinguished name and groups of the one entry that the filter finds."""
    searching.search(
        settings.base_dn,
        settings.user_filter.replace("{name}", escape_filter_chars(name)),
        attributes=[MEMBER_OF],
        size_limit=2,
        time_limit=ANSWER_S,
    )
    found = _entries(searching)
    if len(found) != 1:
        return None  # two people of one name: neither is believed
    person, attributes = found[0]
    return person, [str(one) for one in attributes.get(MEMBER_OF, ())]


def _groups(searching: ldap3.Connection, settings: LdapSettings, person: str) -> list[str]:
    """Groups that name the person, by their distinguished name and by their common name."""
    if not settings.group_base_dn:
        return []
    member = escape_filter_chars(person)
    searching.search(
        settings.group_base_dn,
        f"(|(member={member})(uniqueMember={member}))",
        attributes=["cn"],
        size_limit=GROUPS_MAX,
        time_limit=ANSWER_S,
    )
    found = []
    for group, attributes in _entries(searching):
        found += [group, *(str(one) for one in attributes.get("cn", ()))]
    return found


def _entries(searching: ldap3.Connection) -> list[tuple[str, dict[str, list[object]]]]:
    return [
        (str(one["dn"]), dict(one["attributes"]))
        for one in searching.response or ()
        if one.get("type") == "searchResEntry"
    ]


def _failed(settings: LdapSettings, observed: Said) -> SignInServiceFailed:
    return SignInServiceFailed(service=settings.url, observed=observed)

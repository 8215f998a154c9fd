"""Who else's word is taken, and which groups have which role: values, and reading them. Pure.

The password of the search account and the client's secret are kept here, and shown nowhere.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from mirror.adapters.console.roles import Role

LDAP, OIDC = "ldap", "oidc"


def is_external(name: str) -> bool:
    """Tell whether somebody of this name signed in by somebody else's word: `ldap:nora`."""
    return name.partition(":")[0] in {LDAP, OIDC}


@dataclass(frozen=True, slots=True)
class RoleMap:
    """Groups by role. everybody: the role of who is in none of them; "" refuses."""

    admin: tuple[str, ...] = ()
    control: tuple[str, ...] = ()
    monitor: tuple[str, ...] = ()
    everybody: str = ""

    def role_of(self, groups: Iterable[str]) -> Role | None:
        """The highest role that the groups give; names are compared without regard to case."""
        held = {one.casefold() for one in groups}
        for role, names in (
            (Role.ADMIN, self.admin),
            (Role.CONTROL, self.control),
            (Role.MONITOR, self.monitor),
        ):
            if held & {one.casefold() for one in names}:
                return role
        return Role(self.everybody) if self.everybody else None


@dataclass(frozen=True, slots=True)
class LdapSettings:
    """url "": off. {name} in user_filter stands for who signs in. ca: PEM; "": the system's."""

    url: str = ""
    starttls: bool = False
    ca: str = ""
    bind_dn: str = ""
    bind_password: str = field(default="", repr=False)
    base_dn: str = ""
    user_filter: str = "(uid={name})"
    group_base_dn: str = ""
    roles: RoleMap = RoleMap()


@dataclass(frozen=True, slots=True)
class OidcSettings:
    """issuer "": off. groups_claim: where the ID token names groups; name_claim: the person."""

    issuer: str = ""
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    scopes: str = "openid profile email"
    name_claim: str = "preferred_username"
    groups_claim: str = "groups"
    ca: str = ""
    label: str = ""
    roles: RoleMap = RoleMap()


@dataclass(frozen=True, slots=True)
class SignInSettings:
    """Both. changed_us: the later one of two nodes counts."""

    ldap: LdapSettings = LdapSettings()
    oidc: OidcSettings = OidcSettings()
    changed_us: int = 0


def to_map(settings: SignInSettings) -> dict[str, Any]:
    """Give JSON values, secrets included: for the database and the other node only."""
    return asdict(settings)


def from_map(values: Mapping[str, Any]) -> SignInSettings:
    """Read JSON values; what is missing has its default."""
    return SignInSettings(
        ldap=LdapSettings(**_known(LdapSettings, values.get(LDAP))),
        oidc=OidcSettings(**_known(OidcSettings, values.get(OIDC))),
        changed_us=int(values.get("changed_us") or 0),
    )


def _known(kind: type[Any], values: object) -> dict[str, Any]:
    names = {one.name for one in fields(kind)}
    given = values if isinstance(values, Mapping) else {}
    found = {name: value for name, value in given.items() if name in names and name != "roles"}
    roles = given.get("roles")
    if "roles" in names and isinstance(roles, Mapping):
        found["roles"] = RoleMap(
            admin=tuple(roles.get("admin") or ()),
            control=tuple(roles.get("control") or ()),
            monitor=tuple(roles.get("monitor") or ()),
            everybody=str(roles.get("everybody") or ""),
        )
    return found

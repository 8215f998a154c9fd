"""Where notifications go: values, and reading them from JSON. No behaviour.

The password of the mail server and the secret of the webhook are kept here, and shown nowhere.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

SECURITY = ("none", "starttls", "tls")


@dataclass(frozen=True, slots=True)
class MailSettings:
    """server "": no mail. security: none, starttls or tls. user "": no sign-in at the server."""

    server: str = ""
    port: int = 25
    security: str = "none"
    user: str = ""
    password: str = field(default="", repr=False)
    sender: str = ""
    recipients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """url "": none. secret: signs the body (HMAC-SHA256 in X-Mirror-Signature); "": unsigned."""

    url: str = ""
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class CommandSettings:
    """path "": none. Run with service, node, `up` or `down`, and the reason."""

    path: str = ""


@dataclass(frozen=True, slots=True)
class NotifySettings:
    """All channels. kinds: which kinds are told; empty: every kind."""

    mail: MailSettings = MailSettings()
    webhook: WebhookSettings = WebhookSettings()
    command: CommandSettings = CommandSettings()
    kinds: tuple[str, ...] = ()


def to_map(settings: NotifySettings) -> dict[str, Any]:
    """Give JSON values, secrets included: for the database only."""
    return asdict(settings)


def from_map(values: Mapping[str, Any]) -> NotifySettings:
    """Read JSON values; what is missing has its default."""
    return NotifySettings(
        mail=MailSettings(**_known(MailSettings, values.get("mail"))),
        webhook=WebhookSettings(**_known(WebhookSettings, values.get("webhook"))),
        command=CommandSettings(**_known(CommandSettings, values.get("command"))),
        kinds=tuple(values.get("kinds") or ()),
    )


def _known(kind: type[Any], values: object) -> dict[str, Any]:
    names = {one.name for one in fields(kind)}
    given = values if isinstance(values, Mapping) else {}
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in given.items()
        if name in names
    }

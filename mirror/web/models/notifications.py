"""Notifications: where they go, what was told."""

from typing import Literal

from pydantic import BaseModel, Field, field_validator

from mirror.vocabulary.said import Misread, say
from mirror.web.field_sentences import HTTP_ADDRESS, PROGRAM
from mirror.web.models.said import Said
from mirror.web.models.security import Strict

Kind = Literal["state", "split", "disk", "verification", "certificate", "clock", "node"]


class MailTarget(Strict):
    """Mail. Without a server, none is sent."""

    server: str = Field(default="", max_length=253)
    port: int = Field(default=25, ge=1, le=65_535)
    security: Literal["none", "starttls", "tls"] = "none"
    user: str = Field(default="", max_length=200, description="Empty: no sign-in at the server")
    password: str | None = Field(
        default=None, max_length=1024, description="Null: as it was. Never answered"
    )
    sender: str = Field(default="", max_length=254)
    recipients: list[str] = Field(default_factory=list, max_length=20)

    @field_validator("sender", "recipients", "server", "user")
    @classmethod
    def _one_line(cls, value: str | list[str]) -> str | list[str]:
        for one in [value] if isinstance(value, str) else value:
            if not one.isprintable() or len(one) > 254:
                raise Misread(say("field.line", max_length=254))
        return value


class WebhookTarget(Strict):
    """A webhook. Without an address, none is called."""

    url: str = Field(default="", max_length=2000, pattern=HTTP_ADDRESS)
    secret: str | None = Field(
        default=None,
        max_length=1024,
        description="Null: as it was. Signs the body. Never answered",
    )


class CommandTarget(Strict):
    """A program of the administrator's on this node."""

    path: str = Field(
        default="",
        max_length=1000,
        pattern=PROGRAM,
        description="Run with service, node, up or down, and the reason",
    )


class Targets(Strict):
    """Where notifications of this node go."""

    mail: MailTarget = Field(default_factory=MailTarget)
    webhook: WebhookTarget = Field(default_factory=WebhookTarget)
    command: CommandTarget = Field(default_factory=CommandTarget)
    kinds: list[Kind] = Field(default_factory=list, max_length=7, description="Empty: every kind")


class ChannelView(BaseModel):
    """How a channel fares since the console began."""

    channel: str
    sent_us: int = Field(description="When something last went out; 0: not yet")
    failed: str = Field(description="The sentence of the last failure; empty: it works")
    failed_said: Said | None = Field(default=None, description="What `failed` was made of")
    failed_us: int


class TargetsView(BaseModel):
    """Where notifications of this node go, without secrets."""

    targets: Targets
    mail_password_set: bool
    webhook_secret_set: bool
    channels: list[ChannelView]


class NoticeView(BaseModel):
    """One thing that was told."""

    id: int
    time_us: int
    kind: str
    service: str = Field(description="The module; empty: the node itself")
    node: str
    up: bool
    reason: str
    said: Said | None = Field(default=None, description="What `reason` was made of")


class NoticeList(BaseModel):
    """What was told, newest first."""

    notices: list[NoticeView]


class TestResult(BaseModel):
    """What came of a test."""

    channel: str
    failed: str = Field(description="Empty: it went out")
    failed_said: Said | None = Field(default=None, description="What `failed` was made of")


class TestResults(BaseModel):
    """A test on each channel that is set."""

    results: list[TestResult]

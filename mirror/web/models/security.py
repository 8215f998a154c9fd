"""Sign-in, users, tokens, audit."""

from pydantic import BaseModel, ConfigDict, Field

from mirror.adapters.console.roles import Role

NAME = Field(min_length=1, max_length=64, examples=["admin"])
PASSWORD = Field(min_length=1, max_length=1024)


class Strict(BaseModel):
    """A body in which a misspelt field is refused, not passed over."""

    model_config = ConfigDict(extra="forbid")


class SignIn(Strict):
    """Name and password."""

    name: str = NAME
    password: str = PASSWORD


class UseLink(Strict):
    """A one-time link and the password to set by it."""

    link: str = Field(min_length=1, max_length=200, description="What stands after #/link/")
    password: str = PASSWORD


class UseTicket(Strict):
    """A one-time ticket, made by the other node for somebody signed in there."""

    ticket: str = Field(min_length=1, max_length=200)


class NewPassword(Strict):
    """A change of one's own password."""

    old: str = PASSWORD
    new: str = PASSWORD


class Session(BaseModel):
    """Who is signed in."""

    signed_in: bool
    name: str = Field(description="Empty when nobody is signed in")
    role: Role | None
    via: str = Field(description="session, token, peer or nobody")
    csrf: str = Field(description="To be sent as X-CSRF-Token with every unsafe request")
    expires_us: int = Field(description="When the session ends if nothing is done; 0: never")
    first_start: bool = Field(
        description="There is no user yet: the one-time link printed by the node sets the first"
        " password, `mirror console link` prints another one"
    )
    node: str = Field(description='Name of this node; "this" before it has one')


class Ticket(BaseModel):
    """A one-time ticket."""

    ticket: str
    expires_us: int


class UserView(BaseModel):
    """A user."""

    name: str
    role: Role
    created_us: int
    changed_us: int


class UserList(BaseModel):
    """All users."""

    users: list[UserView]


class PutUser(Strict):
    """A user to add or to change."""

    role: Role
    password: str | None = Field(
        default=None, max_length=1024, description="Null: the password stays"
    )


class UserRow(BaseModel):
    """A user as the other node of the cluster is told; a removed one has no role."""

    name: str = Field(min_length=1, max_length=64)
    role: str = Field(pattern="^(Monitor|Control|Admin|)$")
    password: str = Field(max_length=1024)
    created_us: int
    changed_us: int = Field(ge=0)


class MakeToken(Strict):
    """A bearer token to make."""

    label: str = Field(min_length=1, max_length=64, examples=["prometheus"])
    role: Role
    days: int = Field(default=365, ge=1, le=3650)


class TokenView(BaseModel):
    """A bearer token, without its secret."""

    id: int
    label: str
    role: Role
    created_us: int
    created_by: str
    expires_us: int
    used_us: int = Field(description="When it was used last, to the minute; 0: never")


class MadeToken(BaseModel):
    """A new token. The secret is shown this once."""

    token: TokenView
    secret: str


class TokenList(BaseModel):
    """All tokens."""

    tokens: list[TokenView]


class AuditView(BaseModel):
    """One request that changed something, or tried to."""

    id: int
    time_us: int
    name: str
    role: str
    origin: str = Field(description='Address, or "node n2" when it came through the other node')
    via: str
    module: str
    what: str
    detail: str
    result: str = Field(description='"done", or the sentence of the error')
    status: int = Field(description="HTTP status; 0: it did not finish")
    duration_ms: int


class AuditList(BaseModel):
    """Entries of the audit, newest first."""

    entries: list[AuditView]
    next_before: int | None = Field(description="For the page that follows; null at the end")

"""The settings of ``leadcast push``: which system takes the scores, which of its fields, and when.

Every class is strict (an unknown key is an error that names the nearest valid one) and frozen.
"""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    Tag,
    field_validator,
    model_validator,
)

from features.core.errors import nearest
from features.core.schema import TIERS
from features.core.time import DAY, Duration
from models.decision.actions import ACTIONS
from pipeline.settings.table import PASSWORD
from pipeline.settings.types import Name, Share, Strict, Variable


def _address(text: str) -> str:
    # What stands before an @ may be a password: the text is not repeated.
    if not re.fullmatch(r"https?://[^\s@?#]+", text):
        raise ValueError("must be an address as in https://crm.example.com, without user, password or query")
    return text


Address = Annotated[str, AfterValidator(_address)]
"""Where a system answers."""
Closed = dict[Name, tuple[str | float | bool, ...]]
"""Fields of the system, each with the values that say a lead is closed: {lifecyclestage: [customer]}."""
_CUSTOMERS: Closed = {"lifecyclestage": ("customer",)}
_CONVERTED: Closed = {"IsConverted": (True,)}


def _of_codes(words: dict[str, str]) -> dict[str, str]:
    if tiers := sorted(set(words) & set(TIERS)):
        raise ValueError(
            f"{tiers[0]!r} is a tier, and actions have codes now: {{call_today: call today}}; decision.actions says "
            "which tier gets which"
        )
    return words


Ours = Literal[
    "tier", "probability", "score", "maturity", "reason_1", "reason_2", "reason_3", "action", "date", "model",
    "stage", "facts", "target", "expected_value", "list", "list_reason", "guess",
    "grade", "reason_for", "reason_against", "recontact_on",
    "channel", "trend", "what_changed", "suspended_since", "lottery_group"
]  # fmt: skip


class SinkSettings(Strict):
    """What all sinks share."""

    key_field: Name
    """What names the lead there."""
    timeout_seconds: PositiveFloat = 60
    """How long a call may take."""
    calls_a_day: PositiveInt | None = None
    """How many calls the system takes in 24 hours; the rehearsal compares with it."""
    batch_size: PositiveInt
    """How many leads are written at once; where no answer comes in time, a push halves it by itself."""


class Files(SinkSettings):
    """Files that a CRM's import takes, one or more for each push, with the leads that changed."""

    kind: Literal["files"]
    """A folder of files."""
    folder: Name = "data/push/files"
    """Where they go."""
    format: Literal["csv", "jsonl"] = "csv"
    """CSV with formulas defused, or JSON lines."""
    key_field: Name = "lead_id"
    """The column that names the lead."""
    export: Name | None = None
    """A CSV export of the CRM with key_field: leads that it lacks are skipped, and people's edits are seen."""
    batch_size: PositiveInt = 50_000
    """How many leads a file holds at most."""
    closed: Closed = Field(default_factory=dict)
    """Columns of the export, each with the values that say a lead is closed."""

    @model_validator(mode="after")
    def _seen(self) -> Self:
        if self.closed and self.export is None:
            raise ValueError("closed names columns of the export, and there is none; give export, or drop closed")
        return self


class Sql(SinkSettings):
    """A table of a database: SQLite, PostgreSQL, and what else SQLAlchemy reaches."""

    kind: Literal["sql"]
    """A table of a database."""
    database: Name
    """$NAME of an environment variable that holds its URL; or a URL without a password, as in sqlite:///crm.sqlite."""
    table: Name
    """The table, as in leads or crm.leads."""
    key_field: Name = "lead_id"
    """The column that names the lead; it must be unique."""
    batch_size: PositiveInt = 1_000
    """How many leads a transaction writes."""
    create: bool = False
    """Whether a lead that the table lacks gets a row."""
    closed: Closed = Field(default_factory=dict)
    """Columns, each with the values that say a lead is closed."""

    @field_validator("database")
    @classmethod
    def _without_password(cls, database: str) -> str:
        if PASSWORD.match(database):
            raise ValueError("the URL holds a password; put it into a variable and name that: database: $CRM_DATABASE")
        return database


class Odoo(SinkSettings):
    """Leads of Odoo, 17 to 19."""

    kind: Literal["odoo"]
    """Odoo's own interface."""
    url: Address
    """As in https://crm.example.com."""
    database: Name
    """The name of Odoo's database."""
    user: Name | None = None
    """The login of the scoring user; not needed with json2."""
    key: Variable
    """$NAME of the variable that holds the user's API key."""
    interface: Literal["jsonrpc", "json2"] = "jsonrpc"
    """jsonrpc is answered by all versions, json2 from 19 on."""
    key_field: Name = "id"
    """The field of crm.lead that holds our lead_id; id is the database's own."""
    batch_size: PositiveInt = 500
    """How many leads a call writes; where no answer comes in time, a push halves it by itself."""


class HubSpot(SinkSettings):
    """Contacts of HubSpot."""

    kind: Literal["hubspot"]
    """HubSpot's contacts."""
    token: Variable
    """$NAME of the variable that holds the private app's access token."""
    key_field: Name = "hs_object_id"
    """The property that holds our lead_id, and is unique: HubSpot's own id, email, or one of yours."""
    batch_size: Annotated[PositiveInt, Field(le=100)] = 100
    """How many contacts a call writes; HubSpot takes a hundred at most."""
    closed: Closed = _CUSTOMERS
    """Properties, each with the values that say a lead is closed."""
    url: Address = "https://api.hubapi.com"
    """Where HubSpot answers."""
    calls_a_day: PositiveInt | None = 650_000
    """How many calls the account may make in 24 hours."""


class Salesforce(SinkSettings):
    """Leads of Salesforce."""

    kind: Literal["salesforce"]
    """Salesforce's leads."""
    url: Address
    """The instance, as in https://example.my.salesforce.com."""
    token: Variable
    """$NAME of the variable that holds a session id or an OAuth access token."""
    key_field: Name = "Id"
    """The field that holds our lead_id: Salesforce's own id, or a field marked as an external id."""
    batch_size: Annotated[PositiveInt, Field(le=10_000)] = 10_000
    """How many leads are written at once: fewer than 2,000 by calls of 200, more by one bulk job."""
    job_seconds: PositiveFloat = 600
    """How long a bulk job may take, which writes 2,000 leads and more; then it is aborted, and its leads wait."""
    closed: Closed = _CONVERTED
    """Fields, each with the values that say a lead is closed."""
    calls_a_day: PositiveInt | None = 100_000
    """How many calls the organisation may make in 24 hours."""


class RestRead(Strict):
    """How a lead is read, so that unknown and closed leads, and people's edits, are seen before they are written to."""

    path: Name
    """As in /deals/{key}, or /leads?custom=lead_id&value={key} for a search; {key} stands for the lead's."""
    found: Name | None = None
    """Of a search: where the answer has the list of hits, as in data.items; digits index lists. A hit whose key_field
    holds another key counts for nothing."""
    id: Name | None = None
    """Where the hit (without found: the answer) has the system's own id, which {id} stands for in what writes."""
    values: Name | None = None
    """Where the hit or the answer has the fields, as in custom_fields or data.custom_fields; at its top where it is not
    given."""
    example: Name | None = None
    """The key of a lead that is there and shows all fields: leadcast crm check looks there for the mapped ones."""


class Rest(SinkSettings):
    """Any other system that takes JSON over HTTP, one lead a call."""

    kind: Literal["rest"]
    """A call for each lead."""
    key_field: Name = "id"
    """The field that holds our lead_id; it is never written."""
    batch_size: PositiveInt = 20
    """How many leads are entered in the ledger together; each is a call of its own."""
    url: Address
    """Where all paths start, as in https://api.example.com/v1."""
    method: Literal["PATCH", "PUT", "POST"] = "PATCH"
    """What writes a lead."""
    path: Name
    """As in /leads/{key}; {key} stands for the lead's, {id} for what read.id has found."""
    body: dict[Name, Any] | None = None
    """The JSON that is sent: {fields} stands for the fields, {key}, {id} as in path; without it, the fields alone."""
    headers: dict[Name, str] = Field(default_factory=dict)
    """Sent with every call; {secret} stands for what the variable holds: {Authorization: "Bearer {secret}"}."""
    write_headers: dict[Name, str] = Field(default_factory=dict)
    """Sent with what writes, too: {If-Match: "*"} keeps some systems from making what is not there."""
    secret: Variable | None = None
    """$NAME of the variable that holds the key."""
    whole: tuple[Name, ...] = ()
    """Fields that take whole numbers only: numbers are rounded for them."""
    sizes: dict[Name, PositiveInt] = Field(default_factory=dict)
    """How many letters fields take that hold texts: longer reasons and actions are cut before they are sent."""
    read: RestRead | None = None
    """How a lead is read; without it, what we wrote last is taken for what is there."""
    closed: Closed = Field(default_factory=dict)
    """Fields of what is read (around read.values, the nearest counts, or there), or paths to them as in data.state,
    each with the values that say a lead is closed."""
    check: Name | None = None
    """A path that answers 200 to whoever may use the interface, as in /users/me."""
    daily_limit: Name | None = None
    """Words of an answer 429 that mean the quota of the day is used up."""
    connections: PositiveInt = 4
    """How many calls may be under way at once."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        body = "{fields}" if self.body is None else json.dumps(self.body)
        if not {"{key}", "{id}"} & set(re.findall(r"{\w+}", self.path + body)):
            raise ValueError("neither path nor body has {key}, so all leads would be one; write it as in /leads/{key}")
        if '"{fields}"' not in body and self.body is not None:
            raise ValueError('body takes no fields; give one of its values as "{fields}"')
        if self.closed and self.read is None:
            raise ValueError("closed names fields of what is read, and nothing is; give read, or drop closed")
        self._check_read(takes_id="{id}" in self.path + body)
        asked = any("{secret}" in value for value in [*self.headers.values(), *self.write_headers.values()])
        if asked != (self.secret is not None):
            raise ValueError(
                'secret is put where headers say {secret}: give both, as in {Authorization: "Bearer {secret}"}'
            )
        return self

    def _check_read(self, *, takes_id: bool) -> None:
        read = self.read
        if read is not None and "{key}" not in read.path:
            raise ValueError("read.path has no {key}; write it as in /leads/{key}, or /leads?number={key}")
        if read is not None and "{id}" in read.path:
            raise ValueError("read.path has {id}, which is known only once the lead is read; give a path with {key}")
        own = read.id if read is not None else None
        if takes_id and own is None:
            raise ValueError("{id} in path or body stands for what is read; say where it is: read: {id: id}")
        if own is not None and not takes_id:
            raise ValueError(
                "read.id is put where path or body say {id}; write path as in /leads/{id}, or drop read.id"
            )
        if read is not None and read.found is not None and own is not None and self.key_field == own:
            raise ValueError(
                f"key_field and read.id are both {own}; key_field is the field that the search looks at, as in lead_id"
            )


_KINDS: dict[str, str] = {one.__name__.lower(): one.__name__ for one in (Files, Sql, Odoo, HubSpot, Salesforce, Rest)}


def _known(value: object) -> object:
    if isinstance(value, dict) and value.get("kind") not in _KINDS:
        kind = value.get("kind")
        told = "is missing" if kind is None else f"{kind!r} is none of them"
        raise ValueError(f"kind {told}; {nearest(str(kind), _KINDS)}")
    return value


def _by_kind(value: object) -> str:
    """Choose the settings by the kind that was written."""
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return _KINDS.get(str(kind), Files.__name__)


AnySink = Annotated[
    Annotated[Files, Tag("Files")]
    | Annotated[Sql, Tag("Sql")]
    | Annotated[Odoo, Tag("Odoo")]
    | Annotated[HubSpot, Tag("HubSpot")]
    | Annotated[Salesforce, Tag("Salesforce")]
    | Annotated[Rest, Tag("Rest")],
    Discriminator(_by_kind),
    BeforeValidator(_known),
]


class Push(Strict):
    """Which system takes the scores, and what it takes of them. Only leadcast push and leadcast crm read it."""

    sink: AnySink
    """The system."""
    fields: Annotated[dict[Ours, Name], Field(min_length=1)] | None = None
    """What is written, each with the system's own field: {tier: x_tier, probability: x_probability}. Where it is not
    given: tier, probability, two reasons, action and date, in fields of their own that leadcast crm setup makes."""
    actions: Annotated[dict[Name, Name], AfterValidator(_of_codes)] = Field(default_factory=dict)
    """Words of actions, by the codes of decision.actions, where they are not ours: {call_today: ring today}; {day} is
    the day to come back. A code without words is written as it is."""
    probability_change: Share = 0.01
    """By how much a probability must change to be written anew, where tier, action and the kinds of reasons stay."""
    refresh_after: Duration = 30 * DAY
    """After how long a lead is written anew though nothing changed significantly."""
    look_again_after: Duration = 7 * DAY
    """After how long a lead is looked for again that the system did not know, or had closed."""
    edits: Literal["respect", "overwrite"] = "respect"
    """What happens to a field that a person has changed since we last wrote it."""
    maximum_age: Duration = 2 * DAY
    """How old scores may be."""
    attempts: PositiveInt = 8
    """How often a batch is tried in one push before it waits for the next."""
    longest_outage_seconds: NonNegativeFloat = 900
    """How long a push waits for a system that answers every call by an error, or not at all; then it ends with what is
    left to do."""
    longest_wait_seconds: PositiveFloat = 120
    """How long one wait between two attempts may be; where the system asks for more, the push ends."""

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        mapped = list(self.mapping.values())
        twice = sorted({name for name in mapped if mapped.count(name) > 1})
        if twice:
            raise ValueError(f"fields writes {twice} twice; give each its own field")
        if self.sink.key_field in mapped:
            raise ValueError(f"fields would overwrite {self.sink.key_field}, which names the lead; take another field")
        return self

    @property
    def whole(self) -> frozenset[str]:
        """The fields of the system that hold a number of ours rounded."""
        return frozenset(self.sink.whole) if isinstance(self.sink, Rest) else frozenset()

    @property
    def words_of_actions(self) -> dict[str, str]:
        """The words of each action that has some, by its code."""
        return {**ACTIONS, **self.actions}

    @property
    def mapping(self) -> dict[str, str]:
        """The field of the system that each of ours goes to."""
        return {str(name): field for name, field in (self.fields or {}).items()} or {
            name: _own_field(self.sink.kind, name) for name in _BY_DEFAULT
        }


_BY_DEFAULT: tuple[Ours, ...] = ("tier", "probability", "reason_1", "reason_2", "action", "date")


def _own_field(kind: str, name: str) -> str:
    """Name a field of our own as the system wants it: Odoo's begin with x_, Salesforce's end in __c."""
    if kind == "salesforce":
        return f"Leadcast_{name.title()}__c"
    return f"x_leadcast_{name}" if kind == "odoo" else f"leadcast_{name}"

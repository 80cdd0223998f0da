"""What each kind of destination is configured by; secrets are named by environment variable, never written."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Discriminator, Field, Tag, field_validator

from clvspark.activation.destinations.layouts import LAYOUTS
from clvspark.activation.destinations.secret import Secret
from clvspark.lakehouse.errors import ConfigError
from clvspark.lakehouse.strict_model import StrictModel, check, kind_given, kind_tag, repeated
from clvspark.privacy.consent import MARKETING, Channel

# What a destination may be told of who is on a list, beside the address.
Fact = Literal["clv", "clv_decile", "lifecycle_stage"]
FACTS: tuple[Fact, ...] = ("clv_decile", "clv", "lifecycle_stage")
LayoutName = Literal["plain", "google", "meta", "tiktok"]
Mode = Literal["incremental", "full", "mirror"]
MarketingAction = Literal[
    "analytics",
    "combine_with_identity",
    "cross_site_targeting",
    "data_science",
    "email_targeting",
    "export_to_third_party",
    "onsite_advertising",
    "onsite_personalisation",
    "single_identity_personalisation",
]
MAX_ROWS_PER_FILE = 5_000_000
# The two big advertising platforms take no more at once.
MAX_BATCH = 10_000
_ENVIRONMENT = r"^[A-Za-z_][A-Za-z0-9_]*$"
_PLAIN_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
_PURPOSE = r"^[a-z][a-z0-9_]*$"
_NO_MIRROR = (
    "mode mirror needs a destination that can be replaced (file, postgres); use incremental or full"
)
Environment = Annotated[str, Field(pattern=_ENVIRONMENT)]


class Destination(StrictModel):
    """What all destinations have in common: whom they are told about, how they are told, and what for."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    channel: Channel = Field(description="channel whose consent is needed")
    purposes: list[Annotated[str, Field(pattern=_PURPOSE)]] = Field(
        default=[MARKETING], min_length=1, description="each of them must be consented to"
    )
    identifier: Literal["email", "phone"]
    hashed: bool = Field(
        description="send SHA-256 of the normalised identifier instead of the identifier"
    )
    audiences: list[str] = Field(min_length=1)
    mode: Mode = Field(
        "incremental",
        description="incremental: what changed; full: everyone on the list at every run, and who left; mirror: "
        "the destination holds nobody else afterwards",
    )
    layout: LayoutName = Field(
        "plain", description="names and normalising of an advertising platform"
    )
    fields: dict[Fact, Annotated[str, Field(pattern=_PLAIN_NAME)]] = Field(
        default={fact: fact for fact in FACTS},
        description="facts that are told, and how the destination names them (layout plain)",
    )
    marketing_actions: list[MarketingAction] = Field(
        default_factory=list, description="what the data is used for; policies are judged by it"
    )
    max_attempts: int = Field(
        5, ge=1, description="runs in which a line may fail before it is a dead letter"
    )

    @property
    def address_column(self) -> str:
        """Name of what it is told addresses as."""
        return LAYOUTS[self.layout].name_address(self.identifier, hashed=self.hashed)

    @property
    def told_as(self) -> str:
        """What tells two forms of one address apart: a destination that was told one cannot remove the other."""
        plain = f"{self.identifier}_sha256" if self.hashed else self.identifier
        return plain if self.layout == "plain" else f"{self.layout}:{plain}"

    @property
    def facts(self) -> tuple[str, ...]:
        """Facts of ours that it is told."""
        own = LAYOUTS[self.layout].facts
        return tuple(own) if own is not None else tuple(self.fields)

    @field_validator("audiences", "purposes")
    @classmethod
    def _each_once(cls, names: list[str]) -> list[str]:
        if twice := repeated(names):
            raise ValueError(f"names {', '.join(twice)} more than once; name each once")
        return names

    @check
    def _hashed_where_the_layout_says(self) -> Iterator[str]:
        if self.layout != "plain" and not self.hashed:
            yield f"layout {self.layout} takes hashed identifiers only; set hashed: true"

    @check
    def _fields_of_a_plain_layout(self) -> Iterator[str]:
        given = list(self.fields.values())
        reserved = {
            "audience_id",
            "outbox_id",
            "operation",
            "email",
            "phone",
            "email_sha256",
            "phone_sha256",
        }
        if taken := sorted(reserved & set(given)) + repeated(given):
            yield f"fields: the names {', '.join(taken)} are taken; give each fact a name of its own"


class FileDestination(Destination):
    """A folder that receives one file an audience and delivery, and a manifest."""

    kind: Literal["file"] = "file"
    format: Literal["csv", "jsonl", "parquet"]
    max_rows_per_file: int = Field(MAX_ROWS_PER_FILE, ge=1, le=MAX_ROWS_PER_FILE)


class HttpDestination(Destination):
    """A webhook that takes batches of lines as JSON, at least once, each batch under an idempotency key."""

    kind: Literal["http"]
    url: str | None = Field(
        None, description="address; {audience_id} stands for the audience. Either url or url_env"
    )
    url_env: Environment | None = Field(
        None, description="environment variable with the address, where the address is a secret"
    )
    headers: dict[str, str] = Field(default_factory=dict, description="what everybody may read")
    secret_headers: dict[str, Environment] = Field(
        default_factory=dict, description="header: environment variable that holds its value"
    )
    key_header: str = Field("Idempotency-Key", pattern=r"^[A-Za-z0-9-]+$")
    batch_rows: int = Field(500, ge=1, le=MAX_BATCH)
    parallel: int = Field(1, ge=1, le=64, description="tasks that send at the same time")
    requests_per_second: float | None = Field(None, gt=0, description="of all tasks together")
    timeout_seconds: float = Field(10.0, gt=0)
    attempts: int = Field(5, ge=1, description="requests with one batch in one run")
    backoff_seconds: float = Field(
        0.5, gt=0, description="before the second request; doubled from then on"
    )
    longest_backoff_seconds: float = Field(30.0, gt=0)
    give_up_seconds: float = Field(
        600.0, gt=0, description="of one run; what is not sent by then is sent by the next"
    )
    breaker_failures: int = Field(
        3, ge=1, description="batches in a row that fail before the circuit opens"
    )
    breaker_seconds: float = Field(30.0, ge=0, description="pause before one batch tries again")

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: str | None) -> str | None:
        if url is not None:
            refuse_address(url)
        return url

    @check
    def _one_address(self) -> Iterator[str]:
        if (self.url is None) == (self.url_env is None):
            yield "give either url or url_env"

    @check
    def _no_mirror(self) -> Iterator[str]:
        if self.mode == "mirror":
            yield _NO_MIRROR


class PostgresDestination(Destination):
    """A table of PostgreSQL that holds the lists: one row an audience and address."""

    kind: Literal["postgres"]
    dsn_env: Environment = Field(description="environment variable with the connection string")
    table: str = Field(pattern=r"^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?$")
    parallel: int = Field(1, ge=1, le=64, description="connections that copy at the same time")
    timeout_seconds: float = Field(30.0, gt=0, description="to connect")
    statement_seconds: float = Field(600.0, gt=0, description="for one statement")


class KafkaDestination(Destination):
    """A topic that receives one record a change, keyed by list and address."""

    kind: Literal["kafka"]
    bootstrap_servers: str = Field(min_length=1)
    topic: str = Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")
    options: dict[str, str] = Field(
        default_factory=dict, description="of the producer, e.g. security.protocol: SASL_SSL"
    )
    secret_options: dict[str, Environment] = Field(
        default_factory=dict,
        description="option of the producer: environment variable, e.g. sasl.jaas.config",
    )
    parallel: int = Field(1, ge=1, le=64)
    timeout_seconds: float = Field(60.0, gt=0, description="for a record to be acknowledged")

    @check
    def _no_mirror(self) -> Iterator[str]:
        if self.mode == "mirror":
            yield _NO_MIRROR

    @check
    def _no_secret_in_the_open(self) -> Iterator[str]:
        for name in sorted(self.options):
            if re.search(r"(?i)password|secret|jaas|token", name):
                yield f"options.{name} is a secret; name its environment variable under secret_options"


AnyDestination = Annotated[
    Annotated[FileDestination, Tag(kind_tag("file"))]
    | Annotated[HttpDestination, Tag(kind_tag("http"))]
    | Annotated[PostgresDestination, Tag(kind_tag("postgres"))]
    | Annotated[KafkaDestination, Tag(kind_tag("kafka"))],
    Discriminator(
        kind_given("file"),
        custom_error_type="kind",
        custom_error_message="kind must be one of file, http, kafka, postgres",
    ),
]


def refuse_address(url: str) -> None:
    """ValueError if `url` is not http(s), or holds a user or a password."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an address that begins with https:// or http://")
    if parts.username or parts.password:
        raise ValueError("must hold no user and no password; use secret_headers")


def read_secret(
    destination: str, variable: str, environment: Mapping[str, str] | None = None
) -> Secret:
    """Value of an environment variable; ConfigError, which names the variable alone, where it is not set."""
    value = (os.environ if environment is None else environment).get(variable)
    if not value:
        raise ConfigError(
            f"activation.destinations.{destination}",
            [
                f"the environment variable {variable} is not set; set it, then run: clvspark activate"
            ],
        )
    return Secret(value)

"""What threadline.yaml says about a database: which tables are read, which may be written, and by which columns."""

from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import ConfigDict, Field, SecretStr, field_validator, model_validator

from threadline.sdk import Settings, credential

Names = Annotated[tuple[str, ...], Field(min_length=1)]


class Origin(Settings):
    """Where rows come from: a table or view, or a SELECT."""

    table: str | None = Field(None, description="table or view that is read")
    query: str | None = Field(None, description="instead of a table: one SELECT, without ORDER BY")

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.table is None) == (self.query is None):
            raise ValueError("give either table or query")
        return self


class Changes(Origin):
    """A table in which the database, or a program, notes which rows of another one have changed or gone."""

    order: str = Field(description="column that grows with each entry: a sequence number, a row version or a time")
    key: Names | None = Field(None, description="columns that hold the row's key, in its order; they are called as there when not given")


class ReadStream(Origin):
    """One stream: the rows of a table or view, or of a SELECT."""

    key: Names = Field(description="columns that identify a row: unique together, never NULL")
    changed_at: str | None = Field(None, description="column that moves with every change; without it every pull reads all rows")
    changes: Changes | None = Field(None, description="instead of changed_at: where it is noted which rows have changed or gone")
    columns: Names | None = Field(None, description="columns to read; all when not given (key and changed_at are always read)")
    mapping: str | None = Field(None, description="shipped mapping file; sql/<stream> when not given")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.changes and self.changed_at:
            raise ValueError("give either changed_at or changes: with a table of changes no column needs to move")
        if self.changes and self.changes.key and len(self.changes.key) != len(self.key):
            raise ValueError(
                f"changes.key names {len(self.changes.key)} columns for the {len(self.key)} of key: name one for each, in their order"
            )
        return self


class WriteTable(Settings):
    """One object: a table whose rows a push inserts or updates."""

    table: str = Field(description="table that is written")
    mode: Literal["insert", "update", "upsert"] = Field(
        description="insert a row once; update the row that is there; or update it, and insert it where it is not there"
    )
    key: Names = Field(
        description="columns of the record that identify the row; they need a unique constraint, unless rows are only updated"
    )
    columns: Names = Field(description="the only other columns that a push may write")
    version: str | None = Field(
        None,
        description="for updates: column that every writer moves, a whole number by one, a time to now, or a rowversion; "
        "a row that changed meanwhile is not overwritten",
    )

    @model_validator(mode="after")
    def _versions_of_updates(self) -> Self:
        if self.version and self.mode == "insert":
            raise ValueError("a version is of rows that are updated; leave it out where they are inserted")
        return self


class SqlSettings(Settings):
    """A database and what of it is read and written."""

    # An error that quoted the input would quote the password.
    model_config = ConfigDict(hide_input_in_errors=True)

    url: SecretStr = credential(
        "database URL with user and password: postgresql://user:password@host:5432/shop (SQLAlchemy's form, or an Airflow connection's)",
        connection="uri",
    )
    schema_name: str | None = Field(None, description="schema of the tables; the user's default schema when not given")
    page_size: int = Field(1000, ge=2, le=50_000, description="rows in one SELECT")
    overlap: float = Field(60, ge=0, description="seconds read again: no transaction may take longer from its first change to its commit")
    time_zone: str = Field("UTC", description="zone of timestamps that carry none, as an IANA name")
    streams: dict[str, ReadStream] = Field(default_factory=dict, description="what is read, by stream name")
    writes: dict[str, WriteTable] = Field(default_factory=dict, description="what is written, by object name")

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"no time zone named {name!r}; write an IANA name such as Europe/Berlin") from None
        return name

"""What can go wrong in a connector, grouped by what the engine does next.

ConnectorError
  ConfigError      stop; a person must change something
  RetryableError   wait `retry_after`, then repeat the same call
  RecordError      dead-letter one record (or one push) and go on

Messages say what, where and what to do. They never hold a credential or a record's content.
"""


class ConnectorError(Exception):
    """Base of every error that a connector raises on purpose."""


class ConfigError(ConnectorError):
    """A person must change something: a setting, a credential, a file."""


class RetryableError(ConnectorError):
    """The same call may succeed later; `retry_after` is in seconds, None when the remote did not say."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RecordError(ConnectorError):
    """One record or one push cannot be used; `path` is a JSON path into it where that is known."""

    def __init__(self, message: str, *, path: str = "$") -> None:
        super().__init__(message)
        self.path = path

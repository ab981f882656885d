"""Hostile text in every place of a view that holds free text."""

from dataclasses import fields, is_dataclass, replace
from itertools import count
from typing import Any, Literal, get_args, get_origin, get_type_hints

PAYLOADS = [
    "<script>window.pwned=1</script>",
    '"><img src=x onerror=window.pwned=1>',
    "'><svg onload=window.pwned=1>",
    "</title></textarea></style><iframe srcdoc=x>",
    "javascript:window.pwned=1//",
    "{{ 7 * 7 }}{% raw %}",
    "&lt;b&gt; &amp; https://evil.example/",
]


class Poison:
    """Puts hostile text into every free text of a view, and remembers where."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.number = count(1)
        self.places: dict[str, str] = {}

    def spread(self, value: Any) -> Any:
        if is_dataclass(value) and not isinstance(value, type):
            hints = get_type_hints(type(value))
            return replace(
                value, **{field.name: self._field(value, field.name, hints[field.name]) for field in fields(value) if field.init}
            )
        if isinstance(value, tuple) and not hasattr(value, "_fields"):
            return tuple(self.spread(item) for item in value)
        return value

    def _field(self, owner: Any, name: str, hint: Any) -> Any:
        value = getattr(owner, name)
        if any(get_origin(part) is Literal for part in (hint, *get_args(hint))) or value is None:
            return value
        if isinstance(value, str):
            return self._drop(f"{type(owner).__name__}.{name}")
        if value and isinstance(value, tuple) and all(isinstance(item, str) for item in value):
            return tuple(self._drop(f"{type(owner).__name__}.{name}") for _ in value)
        return self.spread(value)

    def _drop(self, place: str) -> str:
        text = f"{self.text} mark{next(self.number)}."
        self.places[text] = place
        return text

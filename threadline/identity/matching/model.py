"""What training learned: all that scoring a pair needs, as plain data."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b

import msgspec
from msgspec import Struct


class Field(Struct, frozen=True):
    """How often each level of a comparison occurs among pairs of one person (`m`) and of strangers (`u`), best level first."""

    name: str
    m: Sequence[float]
    u: Sequence[float]


class Frequency(Struct, frozen=True):
    """How frequent the values of a column are; `mean` is how likely two people agree, `rest` stands for values not listed."""

    mean: float
    rest: float
    values: Mapping[str, float]


class Model(Struct, frozen=True, kw_only=True):
    """Weights of agreement: of one person against strangers, and against relatives (Fellegi and Sunter 1969, with a third class).

    `matches` and `relatives` are the share of all pairs that are one person, or kin. `threshold` is the weight from which a pair is
    joined, and from `review` up people decide. `largest_block` bounds how many may share a blocking key; a value of `generic` names nobody.
    """

    fields: Sequence[Field]
    frequencies: Mapping[str, Frequency]
    matches: float
    relatives: float
    threshold: float
    review: float
    largest_block: int
    generic: frozenset[str] = frozenset()
    people: int = 0

    def version(self) -> str:
        """Return a hash of the model: two that are equal score alike."""
        return blake2b(self.to_json(), digest_size=8).hexdigest()

    def to_json(self) -> bytes:
        """Return the model as JSON, the same bytes for the same model."""
        return msgspec.json.encode(self, order="sorted")


def read_model(text: bytes | str) -> Model:
    """Read a model from JSON; ValueError says what is wrong with it."""
    try:
        model = msgspec.json.decode(text, type=Model)
    except msgspec.MsgspecError as error:
        raise ValueError(f"not a matching model: {error}; train it again with `threadline identity match`") from error
    _check(model)
    return model


def _check(model: Model) -> None:
    from threadline.identity.matching.comparisons import COMPARISONS

    known = {comparison.name: len(comparison.levels) + 1 for comparison in COMPARISONS}
    for field in model.fields:
        if known.get(field.name) != len(field.m) or len(field.m) != len(field.u) or min(*field.m, *field.u) <= 0:
            raise ValueError(
                f"a matching model of another version of threadline: its field {field.name!r} has other levels; train it again"
            )

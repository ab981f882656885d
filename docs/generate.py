"""Writes the documents that follow from declarations: `python docs/generate.py`, or `--check` to see whether they are current."""

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from connectors.rest import schema as rest_schema
from docs import reference_pages
from threadline.mapping.json_schema import schema_text
from threadline.model import entities
from threadline.model.entities import Entity
from threadline.model.schema import ENGINE_FIELDS, Field, fields_of

FOLDER = Path(__file__).parent

_KINDS = {
    "id": "id", "text": "text", "integer": "whole number", "real": "number", "boolean": "true or false", "time": "time", "date": "date",
    "money": "money", "list": "list of texts", "json": "JSON",
}  # fmt: skip

_HEAD = """# The canonical model

Made from `threadline/model/entities.py` by `docs/generate.py`: tables, mapping targets and the API follow from the same declaration.

Ids are 128 bits, written as 26 characters: the hash of source, kind and the source's own id, so that the same record always has the same
one; a profile's is a ULID. Times are UTC with microseconds. Money is a whole number of minor units and an ISO 4217 currency, in two
columns, `_amount` and `_currency`. **Bold** fields must have a value.
"""


def documents() -> Mapping[Path, str]:
    """Return the text of each document."""
    schemas = FOLDER / "schemas"
    return {
        FOLDER / "model.md": model(),
        schemas / "mapping.schema.json": schema_text(),
        schemas / "rest.schema.json": rest_schema.schema_text(),
        FOLDER / "reference" / "rest-api-file.md": reference_pages.schema_page("API files of the rest connector", rest_schema.schema()),
        **{FOLDER / "reference" / name: text for name, text in reference_pages.pages()},
    }


def model() -> str:
    """Return the model as tables of fields."""
    shared = [field for field in fields_of(Entity) if field.name in ENGINE_FIELDS or field.name.startswith("valid_")]
    parts = [_HEAD, "## Every entity\n", *_table(shared)]
    for entity in _declared():
        own = [field for field in fields_of(entity) if not issubclass(entity, Entity) or field not in shared]
        parts += [f"\n## {entity.__name__}\n", f"{entity.__doc__} {_places(entity)}.\n", *_table(own)]
    return "\n".join(parts) + "\n"


def _declared() -> Iterator[type[Entity]]:
    yield from (one for one in vars(entities).values() if isinstance(one, type) and getattr(one, "table", None))


def _places(entity: type[Entity]) -> str:
    said = [f"Table `{entity.table}`"]
    for target, mapped in entities.MAPPED.items():
        said += [f"target `{target}`"] if mapped is entity else []
        said += [f"block `{name}` of target `{target}`" for name, child in mapped.children.items() if child is entity]
    return ", ".join(said)


def _table(fields: list[Field]) -> Iterator[str]:
    yield "| field | type | meaning |\n| --- | --- | --- |"
    for field in fields:
        name = f"**{field.name}**" if field.required else field.name
        default = f"; else `{str(field.default).lower()}`" if field.default not in (None, "") else ""
        yield f"| {name} | {_kind(field)} | {field.about}{default} |"


def _kind(field: Field) -> str:
    if field.choices:
        return ", ".join(f"`{choice}`" for choice in field.choices)
    return f"{field.reference} (id)" if field.reference else _KINDS[field.kind]


def main() -> int:
    """Write what is not current; with --check say what that would be, and exit with 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 when a document is not current")
    check = parser.parse_args().check
    stale = {path: text for path, text in documents().items() if not path.exists() or path.read_text(encoding="utf-8") != text}
    for path, text in stale.items():
        print(f"{path.relative_to(FOLDER.parent)} {'is not current' if check else 'written'}")
        if not check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return 1 if stale and check else 0


if __name__ == "__main__":
    sys.exit(main())

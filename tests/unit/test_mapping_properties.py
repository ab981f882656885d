"""What holds for any record and any mapping, and a naive interpreter that the compiler must agree with."""

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.mapping_bench import pull, push
from threadline.mapping.compiled import MappedRecord
from threadline.mapping.errors import MappingError
from threadline.mapping.library import pull_mapping
from threadline.mapping.rows import row_columns
from threadline.model.entities import Case
from threadline.sdk.registry import connector_class

QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
NAMES = ["a", "b", "c"]
SCALARS = (
    st.none() | st.booleans() | st.integers(-3, 3) | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6)
)
TEXTS = st.sampled_from(["", "x", "y", "2026-01-02T03:04:05Z", "a@b.de", "+4930901820", "1", "true", "EUR", "12.30", "\0", "é"])
VALUES = st.recursive(
    SCALARS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
RECORDS = st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), VALUES, max_size=6)


# A naive interpreter


def walk(value, path):
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def missing(value):
    return value is None or value == ""


def text_of(value):
    if isinstance(value, str):
        return value
    if isinstance(value, list | dict):
        raise LookupError("no text")
    return json.dumps(value)


def holds(condition, record):
    def one(path, wanted):
        value = walk(record, path.split("."))
        if wanted == "*":
            return not missing(value) and value is not False
        return missing(value) if wanted is None else value in wanted if isinstance(wanted, list) else value == wanted

    return all(one(path, wanted) for path, wanted in condition.items())


def naive(verbs, record):
    """Return the text that a value comes to, None where it is left out; LookupError where the record does not fit."""
    if "when" in verbs and not holds(verbs["when"], record):
        return verbs.get("default")
    value = walk(record, verbs["from"].split("."))
    if "where" in verbs:
        if value is not None and not isinstance(value, list):
            raise LookupError("no list")
        found = [one for one in value or [] if all(walk(one, [name]) == wanted for name, wanted in verbs["where"].items())]
        value = walk(found[0], verbs["take"].split(".")) if found else None
    if missing(value):
        if "default" not in verbs and not verbs.get("optional"):
            raise LookupError("missing")
        return verbs.get("default")
    value = text_of(value)
    if "lookup" in verbs:
        if value not in verbs["lookup"] and "otherwise" not in verbs:
            raise LookupError("not listed")
        return verbs["lookup"].get(value, verbs.get("otherwise"))
    return value


PATHS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map(".".join)
LITERALS = st.sampled_from(["x", "y", "1", "true", "é"])
CONDITIONS = st.dictionaries(
    PATHS,
    st.none() | st.just("*") | st.sampled_from(["x", 1, True]) | st.lists(st.sampled_from(["x", 2, False]), min_size=1),
    min_size=1,
    max_size=2,
)
WHERES = st.fixed_dictionaries(
    {"where": st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["x", 1, True, None]), min_size=1, max_size=2), "take": PATHS}
)
LOOKUPS = st.fixed_dictionaries({"lookup": st.dictionaries(LITERALS, LITERALS, min_size=1, max_size=3)}, optional={"otherwise": LITERALS})
VERBS = st.builds(
    lambda base, where, lookup: base | where | lookup,
    st.fixed_dictionaries({"from": PATHS}, optional={"default": LITERALS, "optional": st.booleans(), "when": CONDITIONS}),
    st.just({}) | WHERES,
    st.just({}) | LOOKUPS,
)
FITTING = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["", "x", "y", "é", "true"]),
    lambda inner: (
        st.lists(st.dictionaries(st.sampled_from(NAMES), inner, max_size=3), max_size=3)
        | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)
    ),
    max_leaves=10,
)


# All that is read is kept whole as well: then no place has a type, and a path that leads through something else is missing.
FIELDS = ["name", "description", "ticket_type"]
WHOLE = "extensions: {a: {from: a, optional: true}, b: {from: b, optional: true}, c: {from: c, optional: true}}"


@QUICK
@given(
    st.lists(VERBS, min_size=1, max_size=3), st.lists(st.dictionaries(st.sampled_from(NAMES), FITTING, max_size=3), min_size=1, max_size=4)
)
def test_the_compiler_agrees_with_a_naive_interpreter(values, records):
    fields = {"status": {"default": "held"}, "creation_date": {"default": "2026-01-02"}, **dict(zip(FIELDS, values, strict=False))}
    mapping = pull(f"source: s.t\ntarget: case\nfields: {json.dumps(fields)}\n{WHOLE}")
    typed = pull(f"source: s.t\ntarget: case\nfields: {json.dumps(fields)}")
    for record in records:
        try:
            wanted = [naive(verbs, record) for verbs in values]
        except LookupError:
            wanted = None
        assert outcome(mapping, record, len(values)) == wanted
        # Read by typed places it is the same, or the record is misshapen: then it is refused for that.
        assert outcome(typed, record, len(values)) in (wanted, None)


def outcome(mapping, record, count):
    made, _ = attempt(mapping, json.dumps(record).encode(), "K", b"", b"")
    columns = row_columns(Case)
    return made and [made.row[columns.index(name)] for name in FIELDS[:count]]


ALL = pull(
    """
    source: s.everything
    target: interaction
    when: {c.c.c: null}
    fields:
      direction: {from: a.a, lookup: {x: inbound}, otherwise: outbound, default: inbound}
      channel: {from: a.b, call: odd, default: email}
      interaction_date: {from: b, default: 2026-01-02}
      reason: {template: "{a.c} {b}", optional: true}
      description: {from: c, where: {a: 1}, take: b, optional: true}
      case: {from: a.x, optional: true}
    parties:
      - role: customer
        when: a
        identifiers: {p: {from: a, optional: true}, email: {from: b, optional: true}, phone: {from: c, optional: true}}
      - {role: agent, identifiers: {handle: {from: a.b.c, optional: true}, threadline: {from: b, optional: true}}}
    message:
      when: {b: "*"}
      fields:
        content: {from: b, as: html-to-text, optional: true}
        receivers: {each: c, take: a, as: email, optional: true}
        references: {from: c, optional: true}
        send_time: {from: b, optional: true}
    extensions: {all: $, c: {each: c, optional: true}, n: {from: c, as: decimal, optional: true}}
    """,
    functions={"odd": lambda value: value["b"]},
)
ORDER = pull(
    """
    source: s.orders
    target: order
    fields:
      number: {from: a, default: n}
      order_date: {from: b, default: 2026-01-02}
      total: {from: c, currency: {from: b, default: EUR}, optional: true}
    items:
      each: b
      key: a
      fields: {quantity: {from: b, optional: true}, unit_price: {from: c, currency: {default: JPY}, optional: true}}
    """
)
PUSH = push(
    "source: profile\ntarget: s.u\nfields: {a.x: a, b: {from: b, as: integer, optional: true}, "
    "c: {each: c, take: a, as: phone, optional: true}}"
)
SHIPPED = [
    pull_mapping(name, "s", region="DE", functions=connector_class(name.partition("/")[0]).functions)
    for name in (
        "email/messages",
        "salesforce/contacts",
        "sql/orders",
        "x/mentions",
        "zendesk/comments",
        "zendesk/tickets",
        "zendesk/users",
    )
]
EXAMPLES = [(mapping, example.given) for mapping in SHIPPED for example in mapping.tree.examples]


@QUICK
@given(RECORDS | VALUES)
def test_any_json_is_mapped_or_refused(record):
    raw = json.dumps(record).encode("utf-8", "surrogatepass")
    for mapping in (ALL, ORDER):
        mapped_or_refused(mapping, raw)
    if isinstance(record, dict):
        made, error = attempt(PUSH, record)
        assert made is not None or error.site.startswith("shop/things.yaml:")


@QUICK
@given(st.data())
def test_shipped_mappings_take_any_damage(data):
    mapping, good = data.draw(st.sampled_from(EXAMPLES))
    record = json.loads(json.dumps(good))
    for _ in range(data.draw(st.integers(1, 3))):
        holder = record
        name = data.draw(st.sampled_from(sorted(holder)))
        while isinstance(holder[name], dict) and holder[name] and data.draw(st.booleans()):
            holder = holder[name]
            name = data.draw(st.sampled_from(sorted(holder)))
        holder[name] = data.draw(VALUES)
    mapped_or_refused(mapping, json.dumps(record).encode("utf-8", "surrogatepass"))


@QUICK
@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_mapped_or_refused(raw):
    for mapping in (ALL, ORDER):
        mapped_or_refused(mapping, raw)
        mapped_or_refused(mapping, b'{"a": %b}' % raw)


@QUICK
@given(RECORDS)
def test_mapping_again_changes_nothing(record):
    raw = json.dumps(record).encode("utf-8", "surrogatepass")
    first, second = (attempt(ORDER, raw, "K", b"", b"") for _ in range(2))
    assert (first[0], str(first[1])) == (second[0], str(second[1]))


def attempt(mapping, *arguments):
    """Return what a mapping makes, and the error with which it refuses; nothing else may come out."""
    try:
        return mapping(*arguments), None
    except MappingError as error:
        return None, error


def mapped_or_refused(mapping, raw):
    made, error = attempt(mapping, raw, "K", bytes(16), bytes(16))
    assert made is None or isinstance(made, MappedRecord)
    if error:
        assert error.path.startswith("$")
        assert int(error.site.rpartition(":")[2]) >= 1
        assert str(error).isprintable()
        assert len(str(error)) < 500

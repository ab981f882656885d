"""Ids, identifiers and amounts: one form for what is the same, and back again."""

import time
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threadline.model.identifiers import SHARED_KINDS, identify, normalize_email, normalize_handle, normalize_id, normalize_phone
from threadline.model.ids import entity_id, id_range, new_ulid, parse_id, show_id
from threadline.model.money import Money, currency_code

QUICK = settings(max_examples=150, deadline=None)


class TestIds:
    @given(st.binary(min_size=16, max_size=16))
    def test_an_id_is_read_back(self, identity):
        shown = show_id(identity)
        assert (len(shown), parse_id(shown), parse_id(shown.lower())) == (26, identity, identity)

    @given(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16))
    def test_shown_ids_sort_as_ids_do(self, one, other):
        assert (one < other) == (show_id(one) < show_id(other))

    @QUICK
    @given(st.text() | st.text("0123456789ABCDEFGHJKMNPQRSTVWXYZabcßſıU", min_size=25, max_size=27))
    def test_only_what_was_shown_is_read(self, text):
        identity = parse_id(text)
        assert identity is None or show_id(identity) == text.upper()

    @pytest.mark.parametrize(
        "text", ["", "0" * 25, "0" * 27, "8" + "0" * 25, "Z" * 26, "I" * 26, "0" * 25 + "U", " " + "0" * 25, "ß" * 13, "0" * 24 + "ßß"]
    )
    def test_nothing_else_is_an_id(self, text):
        assert parse_id(text) is None

    @given(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16), st.integers(0, 26))
    def test_a_range_holds_the_ids_that_are_shown_with_its_beginning(self, one, other, length):
        beginning = show_id(one)[:length]
        first, last = id_range(beginning.lower()) or (b"", b"")
        assert first <= one <= last
        assert (first <= other <= last) == show_id(other).startswith(beginning)
        assert show_id(first).startswith(beginning)
        assert show_id(last).startswith(beginning)

    @pytest.mark.parametrize("beginning", ["8", "Z", "0U", "\u00e4", "1 ", "0" * 27, "7" + "Z" * 26])
    def test_no_id_is_shown_with_another_beginning(self, beginning):
        assert id_range(beginning) is None

    def test_a_ulid_begins_with_its_time(self):
        before = int(time.time() * 1000)
        found = [new_ulid() for _ in range(100)]
        assert len(set(found)) == 100
        assert all(before <= int.from_bytes(one[:6], "big") <= int(time.time() * 1000) for one in found)

    @given(st.tuples(st.text(), st.text(), st.text()), st.tuples(st.text(), st.text(), st.text()))
    def test_what_is_named_has_one_id(self, one, other):
        # The separator stands in no name of a source or kind.
        clean = [tuple(part.replace("\x1f", "") for part in names) for names in (one, other)]
        assert (entity_id(*clean[0]) == entity_id(*clean[1])) == (clean[0] == clean[1])

    def test_ids_stay_what_they_are(self):
        assert show_id(entity_id("zendesk", "case", "35")) == "6GSH09BK1RYB4JPDJJMK50SGQ6"
        assert len(entity_id("\ud800", "", "")) == 16


ADDRESSES = st.builds(
    "{}{}@{}{}".format,
    st.sampled_from(["", "Ana <", "mailto:", "<", " "]),
    st.text(max_size=8),
    st.text(max_size=8),
    st.sampled_from(["", ">", ".", ".de", " "]),
)


class TestNormalizing:
    @pytest.mark.parametrize(
        ("written", "compared"),
        [
            ("Ana.Lima@Example.ORG", "ana.lima@example.org"), ("  a@b  ", "a@b"), ("Ana Lima <Ana@Mail.Example>", "ana@mail.example"),
            ('"Lima, Ana" <a@b.de>', "a@b.de"), ("mailto:a@b.de", "a@b.de"), ("a@b.de.", "a@b.de"), ("a@bücher.de", "a@xn--bcher-kva.de"),
            ("a@BÜCHER.de", "a@xn--bcher-kva.de"), ("jo\u0301@b.de", "jó@b.de"), ("a+tag@b.de", "a+tag@b.de"), ("a@x。de", "a@x.de"),
            ("O'Neil@b", "o'neil@b"),
            ("J\u030c@b.de", "ǰ@b.de"),
        ],
    )  # fmt: skip
    def test_addresses(self, written, compared):
        assert normalize_email(written) == compared

    @pytest.mark.parametrize(
        "junk",
        [
            "", " ", "n/a", "@", "a@", "@b", "a b@c", "a@b c", "a@b..c", "a@.b", "a@b@", "a,b@c", "a@b,c@d", "a@b;c@d",
            "<a@b", "a@b>c", "a\0@b", "a@\x7f",
            "a＠b", "x@a＠b", "mailto:mailto:a@b", "a@" + "ü" * 70 + ".de", "a@ü..de", "@a@b", "\u202ea@b",
        ],
    )  # fmt: skip
    def test_no_addresses(self, junk):
        with pytest.raises(ValueError, match="not an e-mail address"):
            normalize_email(junk)

    @pytest.mark.parametrize(
        ("written", "compared"), [("X:@Mara", "x:mara"), (" x : mara ", "x:mara"), ("m:a@b.social", "m:a@b.social"), ("x:a:b", "x:a:b")]
    )
    def test_handles(self, written, compared):
        assert normalize_handle(written) == compared

    @pytest.mark.parametrize("junk", ["", "mara", "@mara", ":mara", "x:", "x:@", "x: ", "x:@@mara", "x:@ mara", " :a"])
    def test_no_handles(self, junk):
        with pytest.raises(ValueError, match="not a handle: it is written network:name"):
            normalize_handle(junk)

    @pytest.mark.parametrize(
        ("written", "region"), [("+49 30 901820", None), ("030 901820", "DE"), ("0049 30/901820", "DE"), ("+49(0)30-901820", "FR")]
    )
    def test_phone_numbers(self, written, region):
        assert normalize_phone(written, region) == "+4930901820"

    @pytest.mark.parametrize(
        ("junk", "region"),
        [("", "DE"), ("call me", "DE"), ("030 901820", None), ("+1 555", None), ("+999 123456", None), ("030 901820", "XX")],
    )
    def test_no_phone_numbers(self, junk, region):
        with pytest.raises(ValueError, match="not a"):
            normalize_phone(junk, region)

    def test_ids_lose_only_the_space_around(self):
        assert normalize_id(" A b\n") == "A b"
        with pytest.raises(ValueError, match="blank: it names nobody"):
            normalize_id(" \t\n\u2003")

    @QUICK
    @given(st.text(max_size=20) | ADDRESSES)
    def test_what_is_normalized_stays_so(self, text):
        for normalize in (normalize_email, normalize_handle, normalize_id, lambda one: normalize_phone(one, "DE")):
            try:
                once = normalize(text)
            except ValueError:
                continue
            assert normalize(once) == once

    @QUICK
    @given(st.integers(1, 10**13).map(str) | st.text("0123456789+-() /x", max_size=16))
    def test_a_normalized_number_needs_no_region(self, text):
        try:
            once = normalize_phone(text, "DE")
        except ValueError:
            return
        assert normalize_phone(once, None) == normalize_phone(once, "US") == once

    @pytest.mark.parametrize("kind", [*sorted(SHARED_KINDS), "zendesk_user"])
    def test_a_source_owns_its_own_kinds_only(self, kind):
        here, there = (identify(kind, "V", "v", source) for source in ("here", "there"))
        shared = kind in SHARED_KINDS
        assert ((here.id == there.id), here.owner) == (shared, None if shared else "here")
        assert (here.kind, here.value, here.normalized) == (kind, "V", "v")


CURRENCIES = {"EUR": 2, "USD": 2, "JPY": 0, "KWD": 3, "CLF": 4, "XXX": 2}


class TestMoney:
    @QUICK
    @given(st.integers(-(2**63), 2**63 - 1), st.sampled_from(sorted(CURRENCIES)))
    def test_an_amount_is_read_back(self, minor, currency):
        money = Money(minor, currency)
        digits, _, code = str(money).partition(" ")
        assert Money.of(Decimal(digits), code) == money
        places = CURRENCIES[currency]
        assert Decimal(digits).as_tuple().exponent == -places

    @QUICK
    @given(st.decimals(allow_nan=False, allow_infinity=False), st.sampled_from(sorted(CURRENCIES)))
    def test_nothing_is_rounded(self, amount, currency):
        try:
            money = Money.of(amount, currency.lower())
        except ValueError as error:
            assert "more decimal places" in str(error) or "too large" in str(error)  # noqa: PT017
            return
        assert money.amount * Decimal(10) ** -CURRENCIES[currency] == amount

    @pytest.mark.parametrize("minor", [2**63, -(2**63) - 1, 10**19 - 1, 10**19, 10**40])
    def test_what_64_bits_cannot_hold_is_refused(self, minor):
        with pytest.raises(ValueError, match="too large for an amount"):
            Money.of(Decimal(minor), "JPY")
        assert Money.of(Decimal(2**63 - 1), "JPY").amount == 2**63 - 1

    @pytest.mark.parametrize("text", ["", "EU", "EURO", "E1R", "€UR", "ÄÖÜ", "eu r"])
    def test_what_is_no_code_is_refused(self, text):
        with pytest.raises(ValueError, match="not an ISO 4217 currency code"):
            currency_code(text)
        with pytest.raises(ValueError, match="not an ISO 4217 currency code"):
            Money.of(Decimal(1), text)

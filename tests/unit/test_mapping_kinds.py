"""`as`: amounts with exact digits, times, dates, and the other kinds of values."""

import time
from datetime import UTC, date, datetime

import pytest

from tests.unit.mapping_bench import case, complaint, made, party, pull, push, refused, value_of
from threadline.model.money import Money


def amount(record, total="{from: total, currency: currency}"):
    found = made(order(total), record)
    return (found["total_amount"], found["total_currency"]) if "total_amount" in found else None


def order(total):
    return pull(
        f"source: shop.o\ntarget: order\nfields:\n  number: {{default: n}}\n  order_date: {{default: 2026-01-02}}\n  total: {total}"
    )


class TestMoney:
    @pytest.mark.parametrize(
        ("digits", "currency", "wanted"),
        [
            ("12.34", "EUR", 1234), ("12.3", "EUR", 1230), ("12", "eur", 1200), ("-0.01", "EUR", -1), ("0", "EUR", 0),
            ("1.2e1", "EUR", 1200),
            ("12.3400", " EUR ", 1234), ("500", "JPY", 500), ("1.234", "KWD", 1234), ("1.0000", "CLF", 10000), ("7", "XAF", 7),
            ("92233720368547758.07", "EUR", 9223372036854775807), ("12345678901234.57", "EUR", 1234567890123457),
            ("0.1", "EUR", 10), ("1.10", "USD", 110),
        ],
    )  # fmt: skip
    def test_digits_are_exact_as_number_and_as_text(self, digits, currency, wanted):
        code = currency.strip().upper()
        for written in (digits, f'"{digits}"', f'" {digits} "'):
            assert amount(f'{{"total": {written}, "currency": "{currency}"}}'.encode()) == (wanted, code)

    @pytest.mark.parametrize(
        "total",
        [
            "{from: total, currency: currency}",
            "{from: p.total, currency: currency}",
            "{from: list, where: {id: 2}, take: total, currency: currency}",
        ],
    )
    def test_no_float_comes_between_even_where_the_place_is_read_whole(self, total):
        digits = b'"total": 92233720368547758.07'
        body = b'{%b, "p": {%b}, "list": [{"id": 2, %b}], "currency": "EUR"}' % (digits, digits, digits)
        mapping = pull(
            f"source: shop.o\ntarget: order\nfields: {{number: n, order_date: {{default: 2026-01-02}}, total: {total}}}\n"
            "extensions: {t: total, p: p, list: list, all: $}"
        )
        found = made(mapping, body[:-1] + b', "n": 1}')
        assert found["total_amount"] == 9223372036854775807
        assert amount(body, total) == (9223372036854775807, "EUR")

    @pytest.mark.parametrize(
        ("digits", "currency", "words"),
        [
            ("12.345", "EUR", "more decimal places than EUR has; found 12.345"),
            ("12.5", "JPY", "more decimal places than JPY has; found 12.5"),
            ("1.000000000000000000000000000001", "EUR", "more decimal places than EUR has"),
            ("1e-30", "EUR", "more decimal places"),
            ("92233720368547758.08", "EUR", "too large for an amount"),
            ("99999999999999999.99", "EUR", "too large for an amount"),
            ("-92233720368547758.09", "EUR", "too large for an amount"),
            ("1e30", "EUR", "too large for an amount"),
            ("1e999999999", "EUR", "too large for an amount"),
            ("-1e99999", "EUR", "too large for an amount"),
            ('"12,34"', "EUR", 'expected a decimal number; found "12,34"'),
            ('"1_000"', "EUR", "expected a decimal number"),
            ('"NaN"', "EUR", "expected a decimal number"),
            ('"Infinity"', "EUR", "expected a decimal number"),
            ('" "', "EUR", "expected a decimal number"),
            ("true", "EUR", "expected a decimal number; found true"),
            ("[1]", "EUR", "expected a decimal number; found [1]"),
            ('{"a": 1}', "EUR", 'expected a decimal number; found {"a":1}'),
        ],
    )  # fmt: skip
    def test_what_is_no_amount_is_an_error_at_the_amount(self, digits, currency, words):
        error = refused(order("{from: t.x, currency: c}"), f'{{"t": {{"x": {digits}}}, "c": "{currency}"}}'.encode())
        assert str(error).startswith(words)
        assert (error.path, error.site) == ("$.t.x", "shop/things.yaml:6")

    @pytest.mark.parametrize("currency", ['"EURO"', '"€"', '"E1R"', '"ÄÖÜ"', "5", '" "'])
    def test_what_is_no_currency_is_an_error_at_the_currency(self, currency):
        error = refused(order("{from: total, currency: a.c}"), f'{{"total": 1, "a": {{"c": {currency}}}}}'.encode())
        assert str(error).startswith("not an ISO 4217 currency code, such as EUR; found ")
        assert error.path == "$.a.c"

    def test_a_missing_currency_is_an_error_only_where_there_is_an_amount(self):
        mapping = order("{from: total, currency: c, optional: true}")
        assert "total_amount" not in made(mapping, {})
        error = refused(mapping, {"total": 1})
        assert (str(error)[:7], error.path) == ("missing", "$.c")

    def test_a_currency_may_have_verbs(self):
        assert amount({"total": 5}, "{from: total, currency: {default: jpy}}") == (5, "JPY")
        assert amount({"total": 5, "c": 978}, "{from: total, currency: {from: c, lookup: {978: EUR}}}") == (500, "EUR")

    def test_defaults_and_lookups_are_amounts_too(self):
        assert amount({"currency": "EUR"}, "{from: total, currency: currency, default: 1.50}") == (150, "EUR")
        assert amount({"currency": "EUR"}, "{default: 2, currency: currency}") == (200, "EUR")
        assert amount({"total": "S", "currency": "EUR"}, "{from: total, currency: currency, lookup: {S: 4.90}}") == (490, "EUR")
        assert amount({"total": 3, "currency": "EUR"}, "{from: total, currency: currency, when: paid, default: 0}") == (0, "EUR")
        assert amount({"total": 3, "currency": "EUR"}, "{from: total, currency: currency, when: paid}") is None

    def test_files_that_cannot_mean_an_amount_are_refused(self):
        at = "shop/things.yaml:6: "
        assert complaint(order, "total") == at + "money needs its `currency`: a path, or {default: EUR}"
        assert complaint(order, "{from: total, currency: {default: EURO}}").startswith(at + '"EURO": not an ISO 4217 currency code')
        assert complaint(order, "{from: total, currency: {from: c, optional: true}}").startswith(at + "this must have a value")
        assert complaint(order, "{from: total, currency: c, default: lots}").startswith(at + '"lots": expected a decimal number')
        assert complaint(order, "{from: total, currency: c, as: decimal}") == at + "`currency` belongs to `as: money`"
        assert complaint(case, "name: {from: a, currency: b}") == at + "`currency` belongs to an amount of money"
        assert complaint(order, "{from: total, currency: c, lookup: {a: b}}").startswith(at + '"b": expected a decimal number')

    def test_money_writes_itself_as_people_do(self):
        assert [str(Money(*money)) for money in ((1234, "EUR"), (-5, "EUR"), (500, "JPY"), (1234, "KWD"))] == [
            "12.34 EUR", "-0.05 EUR", "500 JPY", "1.234 KWD",
        ]  # fmt: skip


class TestTimes:
    @pytest.mark.parametrize(
        ("given", "wanted"),
        [
            ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
            ("2026-01-02T03:04:05.000+0000", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
            ("2026-01-02T03:04:05+05:30", datetime(2026, 1, 1, 21, 34, 5, tzinfo=UTC)),
            ("2026-01-02T03:04:05-0800", datetime(2026, 1, 2, 11, 4, 5, tzinfo=UTC)),
            ("2026-01-02T03:04:05", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
            ("2026-01-02 03:04", datetime(2026, 1, 2, 3, 4, tzinfo=UTC)),
            ("20260102T030405Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
            ("2026-01-02", datetime(2026, 1, 2, tzinfo=UTC)),
            (" 2026-01-02T03:04:05Z ", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
            ("2026-01-02T03:04:05.123456789Z", datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)),
            ("2026-01-02T03:04:05.1234567Z", datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)),
            ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
            ("9999-12-31T23:59:59Z", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
            (1767323045, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
            (1767323045.25, datetime(2026, 1, 2, 3, 4, 5, 250000, tzinfo=UTC)),
            (-1, datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
            (0, datetime(1970, 1, 1, tzinfo=UTC)),
        ],
    )
    def test_a_time_is_the_same_moment_in_utc(self, given, wanted):
        found = value_of("t", {"t": given}, "last_update")
        assert (found, found.utcoffset()) == (wanted, wanted.utcoffset())

    def test_the_machines_own_zone_does_not_count(self, monkeypatch):
        monkeypatch.setenv("TZ", "America/New_York")
        time.tzset()
        try:
            for given in ("2026-01-02T03:04:05", 1767323045):
                assert value_of("t", {"t": given}, "last_update") == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        finally:
            monkeypatch.undo()
            time.tzset()

    @pytest.mark.parametrize(
        "given",
        [
            "yesterday", "0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-02T25:00:00Z", "1767323045",
            "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-01:00", 10**18, -(10**18), 1e300, True, [], {"a": 1}, "２０２６-01-02", " ",
        ],
    )  # fmt: skip
    def test_what_is_no_time_is_an_error(self, given):
        error = refused(case("name: {default: x}\nlast_update: a.t"), {"a": {"t": given}})
        assert str(error).startswith(("expected a time", "expected seconds"))
        assert (error.path, error.site) == ("$.a.t", "shop/things.yaml:7")

    @pytest.mark.parametrize(
        ("given", "wanted"),
        [
            ("1984-03-07", date(1984, 3, 7)), (" 1984-03-07 ", date(1984, 3, 7)), ("19840307", date(1984, 3, 7)),
            # The day that its author meant, not that of Greenwich.
            ("1984-03-07T23:30:00-05:00", date(1984, 3, 7)), ("1984-03-07T00:00:00.000+0000", date(1984, 3, 7)),
        ],
    )  # fmt: skip
    def test_a_date_is_the_day_that_is_written(self, given, wanted):
        assert made(party("birth_date: b"), {"id": 1, "b": given})["birth_date"] == wanted

    @pytest.mark.parametrize("given", ["1984-02-30", "07.03.1984", "1984-03-07junk", "0000-01-01", 446774400, True, {}])
    def test_what_is_no_date_is_an_error(self, given):
        assert str(refused(party("birth_date: b"), {"id": 1, "b": given})).startswith("expected a date")


class TestOtherKinds:
    @pytest.mark.parametrize(("given", "wanted"), [(5, 5), ("5", 5), (" 5 ", 5), (5.0, 5), ("5.0", 5), ("1e2", 100), (-(2**63), -(2**63))])
    def test_whole_numbers(self, given, wanted):
        mapping = party(more="preferences: {fields: {rank: n}}")
        assert made(mapping, {"id": 1, "n": given})["preferences"] == {"rank": wanted}

    @pytest.mark.parametrize(
        "given", [5.5, "5.5", "x", "1_000", True, 2**63, -(2**63) - 1, "9" * 5000, "1e999999999", "1e-999999999", "nan", "inf", [], {}]
    )
    def test_what_is_no_whole_number_is_an_error(self, given):
        error = refused(party(more="preferences: {fields: {rank: n}}"), {"id": 1, "n": given})
        assert str(error).startswith("expected a whole number")

    @pytest.mark.parametrize(
        ("given", "wanted"),
        [(True, True), (False, False), (0, False), (1, True), ("0", False), ("1", True), ("TRUE", True), ("false", False)],
    )
    def test_truth(self, given, wanted):
        assert made(case("escalated: e"), {"e": given})["escalated"] is wanted

    @pytest.mark.parametrize("given", [2, -1, "yes", "on", "", 1.5, [], {}])
    def test_what_is_neither_true_nor_false_is_an_error(self, given):
        message = str(refused(case("escalated: e"), {"e": given}))
        assert message.startswith("missing" if given == "" else "expected true or false")

    @pytest.mark.parametrize(
        ("convert", "given", "wanted"),
        [
            ("text", 5, "5"), ("text", True, "true"), ("text", "x", "x"),
            ("email", " Ana Lima <Ana.Lima@Example.ORG> ", "ana.lima@example.org"),
            ("phone", "030 901820", "+4930901820"), ("phone", "+49 (30) 90-1820", "+4930901820"),
            ("handle", "X:@Mara_LQ", "x:mara_lq"),
            ("url", " https://a.example/x?y#z ", "https://a.example/x?y#z"),
            ("language", "pt_br", "pt-BR"), ("language", "EN", "en"),
            ("language", "zh-hant-tw", "zh-Hant-TW"), ("language", "es-419", "es-419"),
            ("html-to-text", "<p>Hi&nbsp;<b>there</b></p><p>you</p>", "Hi there\n\nyou"),
        ],
    )  # fmt: skip
    def test_texts(self, convert, given, wanted):
        assert value_of(f"{{from: a, as: {convert}}}", {"a": given}) == wanted

    @pytest.mark.parametrize(
        ("convert", "given", "words"),
        [
            ("email", "n/a", "not an e-mail address"), ("email", "a@b, c@d", "not an e-mail address"),
            ("email", 5, "not an e-mail address"),
            ("phone", "call me", "not a phone number"), ("phone", "+1 555", "not a possible phone number"),
            ("handle", "mara", "not a handle"),
            ("url", "javascript:alert(1)", "expected an address"), ("url", "http://[", "expected an address"),
            ("url", "/path", "expected an address"),
            ("language", "x", "expected a language tag"), ("language", "12", "expected a language tag"),
            ("language", "German (Germany)", "expected a language tag"), ("html-to-text", ["<p>"], "expected a text, found a list"),
        ],
    )  # fmt: skip
    def test_what_is_none_is_an_error(self, convert, given, words):
        assert str(refused(case(f"name: {{from: a, as: {convert}}}"), {"a": given})).startswith(words)

    def test_a_phone_number_without_a_country_needs_a_region(self):
        mapping = case("name: {from: a, as: phone}", region=None)
        assert made(mapping, {"a": "+49 30 901820"})["name"] == "+4930901820"
        assert "set `region` in threadline.yaml" in str(refused(mapping, {"a": "030 901820"}))

    def test_a_closed_list_takes_only_its_values(self):
        assert made(case("status: s"), {"s": "held"})["status"] == "held"
        error = refused(case("status: s"), {"s": "open"})
        assert str(error).startswith('"open" is none of: acknowledged, pending, held')

    @pytest.mark.parametrize(
        ("field", "convert", "message"),
        [
            ("name", "integer", "name is a text, and `as: integer` makes a whole number"),
            ("name", "money", "name is a text, and `as: money` makes an amount of money"),
            ("name", "decimal", "name is a text, and `as: decimal` makes a decimal number"),
            ("last_update", "text", "last_update is a time, and `as: text` makes a text"),
            ("last_update", "date", "last_update is a time, and `as: date` makes a date"),
            ("escalated", "integer", "escalated is true or false, and `as: integer` makes a whole number"),
        ],
    )
    def test_a_field_takes_only_its_kind(self, field, convert, message):
        assert complaint(case, f"{field}: {{from: a, as: {convert}}}") == f"shop/things.yaml:6: {message}"

    def test_pushes_and_extensions_keep_the_kind(self):
        mapping = push(
            "source: profile\ntarget: shop.p\nfields: {i: {from: a, as: integer}, b: {from: c, as: boolean}, t: {from: a, as: text}, n: a}"
        )
        assert mapping({"a": "5", "c": 1}) == {"i": 5, "b": True, "t": "5", "n": "5"}
        assert made(case(more="extensions: {n: {from: a, as: integer}}"), {"a": "5"})["extensions"] == {"n": 5}


class TestMarkup:
    def text(self, html):
        return value_of("{from: h, as: html-to-text}", {"h": html})

    def test_what_a_reader_does_not_see_is_not_there(self):
        head = "<head><title>T</title><style>p {}</style></head>"
        body = "<body><p style='DISPLAY: none'>hidden</p>seen<script>x()</script></body>"
        assert self.text(f"<html>{head}{body}</html>") == "seen"

    def test_style_cannot_ask_for_megabytes(self):
        assert len(self.text("<p style='padding-left: 99999999px'>x</p>" * 500)) < 5_000

    def test_too_deep_or_too_large_still_gives_the_words(self):
        assert self.text("<b>" * 2_000 + "deep &amp; <i>down</i><script>no</script>") == "deep & down"
        assert self.text("<style>no</style>" + "<p>a &lt; b</p>" * 30_000 + "<!-- no > -->") == " ".join(["a < b"] * 30_000)
        assert self.text("x" * 5_000_000) == "x" * 5_000_000

    @pytest.mark.parametrize("html", ["<?xml version='1.0' encoding='utf-8'?><p>ä</p>", "ä", "<p>ä", "<x-y>ä", "<!-- c -->ä"])
    def test_odd_markup_is_read(self, html):
        assert self.text(html) == "ä"

    @pytest.mark.parametrize("html", ["<", "<!--", "<p>", "<![CDATA[x]]>", "&#0;", "<a\0b>", "&#xD800;", "<table>" * 500])
    def test_hostile_markup_is_a_text(self, html):
        assert isinstance(self.text(html), str)


def test_a_number_that_becomes_text_is_what_the_source_wrote():
    assert value_of("a", b'{"a": 1.10}') == "1.10"
    assert value_of("a", b'{"a": 1E5}') == "1E5"

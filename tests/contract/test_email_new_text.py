"""What a mail says anew is told apart from what it quotes, and nothing is cut away on a mere suspicion."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.email.reply import new_text

QUOTE = "> Shall we send another one?\n>\n> Shop"
OUTLOOK = "\nSent: Monday, 2 March 2026 09:15\nTo: Ana\nSubject: Order 17\n\nShall we send another one?"


@pytest.mark.parametrize(
    "text",
    [
        f"Yes please.\n\nOn Mon, Mar 2, 2026 at 9:15 AM Shop <support@shop.example> wrote:\n{QUOTE}",
        f"Yes please.\n\nAm 02.03.2026 um 09:15 schrieb Shop Support:\n{QUOTE}",
        f"Yes please.\n\nLe lun. 2 mars 2026 à 09:15, Shop <support@shop.example> a écrit :\n\n{QUOTE}",
        f"Yes please.\n\nEm seg., 2 de mar. de 2026 às 09:15, Shop <support@shop.example>\nescreveu:\n\n{QUOTE}",
        f"Yes please.\n\nEl lun, 2 mar 2026 a las 9:15, Shop (<support@shop.example>) escribió:\n\n{QUOTE}",
        f"Yes please.\n\n-----Original Message-----\nFrom: Shop{OUTLOOK}",
        f"Yes please.\n\n________________________________\nFrom: Shop <support@shop.example>{OUTLOOK}",
        f"Yes please.\n-- \nAna Lima\n+351 21 000\n\nOn Mon, Mar 2, 2026 at 9:15 AM Shop wrote:\n{QUOTE}",
        "Yes please.\n\nOn Mon, Mar 2, 2026 at 9:15 AM Shop wrote:\n" + "> long\n" * 5_000,
    ],
)
def test_an_answer_is_what_stands_above_the_quote(text: str) -> None:
    assert new_text(text, "Re: Order 17", answers=True) == "Yes please."


@pytest.mark.parametrize(
    "text",
    [
        "On Mon, Mar 2, 2026 at 9:15 AM Shop wrote:\n> Shall we?\n\nYes please.",
        "On Mon, Mar 2, 2026 at 9:15 AM Shop wrote:\n> Shall we?",
        "Below.\n\nOn Mon, Mar 2, 2026 Shop wrote:\n> Shall we?\n\nYes.\n\n> And this?\n\nNo.",
        "Below.\n\nOn Mon, Mar 2, 2026 Shop wrote:\n" + "> long\n" * 500 + "Yes to that.",
        "> You asked:\nI want it.\n> and\nsoon.",
        "I wrote: it is late.\nFrom: here to there\n",
        "It has\n--\nnot come.",
        "Nothing else.",
    ],
)
def test_what_is_no_clear_quote_below_stays(text: str) -> None:
    assert new_text(text, "Re: Order 17", answers=True) == text.strip()


def test_a_signature_ends_any_mail() -> None:
    assert new_text("It has not come.\n-- \nAna Lima", "Order 17", answers=False) == "It has not come."
    assert new_text("\n-- \nAna Lima", "Order 17", answers=False) == "\n-- \nAna Lima"


@pytest.mark.parametrize(("subject", "answers"), [("Fwd: Order", True), ("WG: Order", True), ("FW:Order", True), ("Order", False)])
def test_what_is_passed_on_belongs_to_the_mail(subject: str, answers: bool) -> None:
    text = f"See below.\n\n---------- Forwarded message ---------\nFrom: Shop{OUTLOOK}"
    assert new_text(text, subject, answers=answers) == text


HOSTILE = ["a: b\n", "From: a\n", "wrote:\n", "On x\n", "--\n", ">", ">\n", "On " + "x" * 70 + "\n", " \n", "_", "-"]


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_long_text_that_looks_like_quotes_all_through_is_read_to_its_bound(piece: str) -> None:
    text = (piece * (1_000_000 // len(piece))).strip()
    assert new_text(text, "Re: x", answers=True) in text


@given(
    st.lists(st.sampled_from([*HOSTILE, "text", "\n", "\n\n", "On Mon Shop wrote:\n", "> quoted\n", "-- \n", "Von: a\nAn: b\n"])).map(
        "".join
    )
)
def test_nothing_is_made_up_and_nothing_becomes_empty(text: str) -> None:
    found = new_text(text, "Re: x", answers=True)
    assert bool(found.strip()) == bool(text.strip())
    assert set(found.split()) <= set(text.split())

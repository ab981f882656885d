"""How the customers and agents of the make-believe company talk, and what is sold there.

Placeholders: {order} is the number, {my_order} and {your_order} a phrase with it (or without, where it is not to be
mentioned), {item} what was ordered, {given} the customer's first name, {agent} the agent's.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """What fills the placeholders; without `order`, no number is mentioned."""

    given: str
    agent: str
    item: str
    order: str | None = None


def say(rng: random.Random, templates: Sequence[str], words: Words) -> str:
    """Choose one of the templates and fill it in."""
    order = words.order
    mine = rng.choice(("my order {}", "order {}", "my order no. {}", "my order ({})")).format(order) if order else "my order"
    yours = rng.choice(("your order {}", "order {}")).format(order) if order else "your order"
    text = rng.choice(templates).format(order=order, my_order=mine, your_order=yours, item=words.item, given=words.given, agent=words.agent)
    return re.sub(r"(^|[.?!] )([a-z])", lambda start: start[1] + start[2].upper(), text)


def letter(rng: random.Random, body: str, words: Words) -> str:
    """Make an e-mail of a customer's words."""
    greeting = rng.choice(("Hello,", "Hi there,", "Dear Nordlicht team,", "Good morning,", "Hi,", "Dear Sir or Madam,", "Hello Nordlicht,"))
    closing = rng.choice(("Best regards,", "Kind regards,", "Thanks,", "Many thanks in advance,", "Cheers,", "Greetings,"))
    return f"{greeting}\n\n{body}\n\n{closing}\n{words.given}"


def reply(rng: random.Random, body: str, words: Words) -> str:
    """Make an e-mail of an agent's words."""
    closing = rng.choice(("Kind regards", "Best wishes", "All the best", "With kind regards"))
    return f"{rng.choice(('Hello', 'Hi', 'Dear'))} {words.given},\n\n{body}\n\n{closing}\n{words.agent}\nNordlicht Outdoor customer service"


ASK_NUMBER = (
    "I will gladly look into it. Could you tell me the order number? It begins with NL and is in your confirmation.",
    "so that I can find your parcel: what is the order number? You find it at the top of the confirmation e-mail.",
)
GIVE_NUMBER = ("it is {order}.", "here it is: {order}. Sorry, I should have thought of that.", "the number is {order}, if I read it right.")
FOLLOW_UPS = (
    "thank you for the quick answer. Just so that I can plan: what day will that be?",
    "all right. Is there anything else that you need from me?",
    "that was not quite my question. Could you have another look, please?",
    "I have sent what you asked for. Please tell me when it has arrived.",
)
FOLLOW_UP_ANSWERS = (
    "I cannot promise a day, but from experience it takes until the middle of next week.",
    "everything has arrived, thank you. There is nothing more for you to do.",
    "I have looked again and talked to a colleague. We will make an exception for you.",
)
LATE_ANSWERS = (
    "I have news at last: everything is arranged, and you will get a confirmation by e-mail. Sorry that it took so long. /{agent}",
    "thank you for your patience. It is settled now, and you need not do anything else. /{agent}",
    "my colleague in the warehouse has confirmed it this minute: all done. /{agent}",
)
THANKS = (
    "that was quick. Thank you, {agent}!",
    "perfect, thank you very much.",
    "it all worked out. Thanks for your help.",
    "great service in the end. Thank you.",
)
NOTES = (
    "Called the carrier: parcel is in the depot, they promise a scan today.",
    "Customer was friendly but will not wait much longer. Please treat as urgent.",
    "Stock checked: two left in Kiel, none in Rostock.",
    "Talked to the warehouse, Mirko takes care of it.",
    "Goodwill voucher of 10 euros approved by the team lead.",
)
PUBLIC_REPLIES = (
    "Hi {given}, sorry about that! We are on it and will get back to you today. /{agent}",
    "Hi {given}, thank you for the hint. We are looking into it right now. /{agent}",
    "Oh no. Please send us a direct message with your postcode, {given}, and we will sort it out. /{agent}",
)
DIRECT_MESSAGES = (
    "Hi, you asked for my postcode: 24103. It is about {order}.",
    "Here I am. Order {order}, postcode 20359, name as on my profile.",
    "As you wished: {order}, 10997 Berlin.",
)
DIRECT_REPLIES = (
    "Thank you, {given}! I have found {order} and will take care of it. /{agent}",
    "Got it. {order} is on my desk now, you will hear from us. /{agent}",
)
CALLS = ("Call: order {order}", "Phone call about the {item}", "Complaint by phone, {order}")
CALL_NOTES = (
    "Customer called about {order} and asked for a supervisor. Problem with the {item}. Promised to call back within a day.",
    "Phone call, eight minutes. Wants to know the state of {order}. Sounded disappointed.",
    "Called from abroad, bad line. Asks for written confirmation about {order}.",
)
GENERAL_CALLS = ("Call: advice on the {item}", "Phone call: club membership", "Call: delivery address")
GENERAL_CALL_NOTES = (
    "Customer called for advice on the {item}. Sent the size chart.",
    "Wants to become a member of the Nordlicht club. Form sent by post.",
    "Asked whether parcels can go to a pick-up station. Explained how to set that in the account.",
)

GEAR = (
    ("NLO-1001", "Fjell 60 trekking pack", 18900),
    ("NLO-1002", "Fjell 35 day pack", 11900),
    ("NLO-1010", "Skarv rain jacket", 24900),
    ("NLO-1012", "Skarv poncho", 7900),
    ("NLO-1020", "Tundra down jacket", 29900),
    ("NLO-1021", "Tundra down vest", 15900),
    ("NLO-1022", "Tundra parka", 34900),
    ("NLO-1040", "Midnatt winter sleeping bag", 26900),
    ("NLO-1041", "Midnatt summer sleeping bag", 19900),
    ("NLO-1080", "Brise fleece jacket", 9900),
    ("NLO-1083", "Brise softshell", 13900),
    ("NLO-1085", "Vidda anorak", 16900),
)
"""Article number, description, unit price in cents of EUR; what people write about has seams, zips and sizes."""
SUNDRIES = (
    ("NLO-1011", "Skarv rain trousers", 14900),
    ("NLO-1030", "Polaris 2 tent", 44900),
    ("NLO-1032", "Polaris 2 footprint", 4900),
    ("NLO-1042", "Sval sleeping mat", 12900),
    ("NLO-1050", "Gneis hiking boots", 21900),
    ("NLO-1052", "Merino socks, three pairs", 3900),
    ("NLO-1060", "Glød gas stove", 6900),
    ("NLO-1061", "Titanium pot, 900 ml", 5900),
    ("NLO-1062", "Enamel mug", 1290),
    ("NLO-1070", "Ravn trekking poles", 8900),
    ("NLO-1071", "Ravn head torch", 4490),
    ("NLO-1081", "Brise merino hat", 2990),
    ("NLO-1090", "Dry bag set", 3490),
    ("NLO-1091", "Water filter", 3990),
    ("NLO-1100", 'Hiking map "Hardangervidda"', 1890),
)
"""What else is in the parcels."""

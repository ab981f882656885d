"""Words that say nothing of who somebody is, or that stand for one another."""

from collections.abc import Mapping


def listed(text: str) -> frozenset[str]:
    """Return the words of a list."""
    return frozenset(text.split())


def reversed_list(spellings: Mapping[str, str]) -> Mapping[str, str]:
    """Return each spelling with the word that it stands for."""
    return {spelling: word for word, several in spellings.items() for spelling in several.split()}


PARTICLES = listed("van von der den de la le di da del della dos das du ten ter zu zum zur el al bin ibn y e st")
"""What family names begin with, which one system writes and the next one leaves out."""
TITLES = listed("mr mrs ms miss dr prof sir herr frau mme mlle monsieur madame sr sra don dona jr ii iii iv phd md dipl ing mag")
ROLES = listed(
    "info support sales office admin administrator contact hello team service help kontakt noreply no-reply donotreply mail post "
    "postmaster webmaster billing accounts reception enquiries inquiries booking bookings orders order shop buero bureau"
)
"""RFC 2142 and what else is nobody's own inbox."""
NOBODY = listed("none test na n/a x xx xxx unknown noemail nomail no asdf abc dummy null nobody anonymous fake user")
"""Inboxes and domains that people give who have none."""
NOBODY_BORN = listed("19000101 19700101 19010101 00010101 99991231 20000101")
"""Days that stand for an unknown one in most systems that hold them."""
STREETS = reversed_list(
    {
        "st": "street st str strasse straat", "rd": "road rd", "ave": "avenue ave av avenida", "ln": "lane ln", "dr": "drive dr",
        "ct": "court ct", "crt": "circuit cct cir", "cr": "crescent cres cr", "pl": "place pl", "bd": "boulevard blvd bd",
        "sq": "square sq", "ter": "terrace tce ter", "c": "calle c", "ul": "ulica ul", "pza": "plaza pza", "hwy": "highway hwy",
    }
)  # fmt: skip
SHORT_FORMS = {
    "katarzyna": "kasia", "malgorzata": "gosia", "krzysztof": "krzys", "agnieszka": "aga", "joanna": "asia", "aleksandra": "ola",
    "tomasz": "tomek", "katharina": "kathi kati", "matthias": "matze hias", "sebastian": "basti", "johannes": "hannes hans",
    "wolfgang": "wolf", "stephanie": "steffi", "alexander": "sascha sasha alex", "giuseppe": "beppe",
    "francesco": "franco ciccio", "giovanni": "gianni", "luigi": "gigi", "jose": "pepe", "francisco": "paco",
    "dolores": "lola", "guadalupe": "lupe", "rosario": "charo", "dmitri": "dima mitya", "aleksei": "alyosha", "ekaterina": "katya",
    "tatiana": "tanya", "natalia": "natasha", "ivan": "vanya", "anastasia": "nastya",
    "frederic": "fred", "philippe": "phil", "ignacio": "nacho",
}  # fmt: skip
"""Beyond English, which the package nicknames knows."""

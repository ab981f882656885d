"""Words that say nothing of who somebody is, or that stand for one another: in the rules and in matching alike."""

from collections import defaultdict
from collections.abc import Mapping
from functools import cache


def words(text: str) -> tuple[str, ...]:
    """Return the words of a list."""
    return tuple(text.split())


def listed(text: str) -> frozenset[str]:
    """Return the words of a list, to look them up."""
    return frozenset(text.split())


TITLES = listed(
    "mr mrs ms miss mx dr prof professor sir dame madam herr frau dhr mevr monsieur mme mlle madame signor signora sig sra srta senor "
    "senora dott ing dipl mag msc bsc mba phd md esq"
)
PARTICLES = listed(
    "de del della dello delle dei degli dal dalla di da do dos das du des la le lo los las el al van von vom der den ter ten te "
    "zu zum zur af av bin ibn abu st y e und het op"
)
"""What family names begin with, which one system writes and the next one leaves out."""
GENERATIONS = listed("jr junior sr senior ii iii iv")
NO_BIRTHS = listed("1900-01-01 1970-01-01 1901-01-01 1800-01-01 0001-01-01 9999-12-31 2000-01-01")
"""Days that systems write for an unknown one."""
_NO_NAMES = words(
    "none no na n.a n-a nomail noemail no-email no.email no_email nospam notprovided unknown nobody anonymous anonym test tester testing "
    "dummy fake null invalid sample guest asd asdf* qwert* abc xx xxx aa aaa keine keinemail unbekannt aucun ninguno nessuno geen noreply "
    "no-reply no_reply donotreply do-not-reply mailer-daemon postmaster"
)
NOBODY = (*(f"{name}@*" for name in _NO_NAMES), *words("*@none.* *@noemail.* *@nomail.* *@unknown.* *@invalid *@*.invalid ?@?.*"))
"""Patterns of e-mail addresses that people and machines write who have none, or do not want to tell."""
ROLES = words(
    "abuse accounting accounts admin administrator amministrazione atencion billing booking bookings buchhaltung buero careers clientes "
    "commercial compras contact contacto contatti customer customercare customerservice datenschutz einkauf empfang enquiries events "
    "facturacion fam famiglia familia familie famille family finance firma frontdesk group groups hello help helpdesk hola household hr "
    "info information inquiries invoice invoices jobs kanzlei kontakt kundenservice logistics mail marketing news newsletter office order "
    "orders post praxis prenotazioni presse purchasing rechnung reception recepcion reservas reservations rezeption sales secretary "
    "segreteria sekretariat service shop staff support team ventas vertrieb verkauf webmaster"
)
"""Words in addresses of which several people read the mail (RFC 2142, and what else is nobody's own)."""
_STREETS = {
    "st": "street st str strasse straat", "rd": "road rd", "ave": "avenue ave av avenida", "ln": "lane ln", "dr": "drive dr",
    "ct": "court ct", "crt": "circuit cct cir", "cr": "crescent cres cr", "pl": "place pl", "bd": "boulevard blvd bd",
    "sq": "square sq", "ter": "terrace tce ter", "c": "calle c", "ul": "ulica ul", "pza": "plaza pza", "hwy": "highway hwy",
}  # fmt: skip
STREETS: Mapping[str, str] = {spelling: word for word, several in _STREETS.items() for spelling in several.split()}
"""Kinds of streets, each spelling with the word that it stands for."""
SHORT_FORMS = {
    "katarzyna": "kasia", "malgorzata": "gosia", "krzysztof": "krzys", "agnieszka": "aga", "joanna": "asia", "aleksandra": "ola",
    "tomasz": "tomek", "katharina": "kathi kati", "matthias": "matze hias", "sebastian": "basti", "johannes": "hannes hans",
    "wolfgang": "wolf", "stephanie": "steffi", "alexander": "sascha sasha alex", "giuseppe": "beppe peppe", "vincenzo": "enzo",
    "francesco": "franco ciccio", "giovanni": "gianni", "luigi": "gigi", "jose": "pepe", "francisco": "paco curro",
    "dolores": "lola", "guadalupe": "lupe", "rosario": "charo", "dmitri": "dima mitya", "aleksei": "alyosha", "ekaterina": "katya",
    "tatiana": "tanya", "natalia": "natasha", "ivan": "vanya", "anastasia": "nastya", "sergei": "seryozha",
    "frederic": "fred", "philippe": "phil", "ignacio": "nacho", "manuel": "manolo manu", "consuelo": "chelo", "montserrat": "montse",
    "inmaculada": "inma", "willem": "wim", "pieter": "piet", "birgitta": "gitta", "mehmet": "memo",
}  # fmt: skip
"""Beyond English, which the package nicknames knows."""


@cache
def full_names() -> Mapping[str, frozenset[str]]:
    """Return for each short form, in small Latin letters, the given names that it may stand for."""
    from nicknames import name_triplets

    found: dict[str, set[str]] = defaultdict(set)
    for full, _, short in name_triplets():
        found[short].add(full)
    for full, shorts in SHORT_FORMS.items():
        for short in shorts.split():
            found[short].add(full)
    return {short: frozenset(fulls) for short, fulls in found.items()}


@cache
def given_names() -> frozenset[str]:
    """Return given names that are known as such."""
    return frozenset(full_names()).union(*full_names().values())


__all__ = [
    "GENERATIONS",
    "NOBODY",
    "NO_BIRTHS",
    "PARTICLES",
    "ROLES",
    "SHORT_FORMS",
    "STREETS",
    "TITLES",
    "full_names",
    "given_names",
    "listed",
]

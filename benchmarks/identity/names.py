"""Names, streets and towns for make-believe people of many countries."""

import random
from bisect import bisect
from collections.abc import Sequence
from itertools import accumulate


def words(text: str) -> tuple[str, ...]:
    """Return the words of a text; an underscore stands for a space within one."""
    return tuple(word.replace("_", " ") for word in text.split())


WOMEN = words(
    "Maria Anna Emma Sophie Laura Julia Katharina Elizabeth Margaret Susan Jennifer Patricia Linda Barbara Jessica Sarah Karen Nancy Lisa "
    "Sandra Ashley Emily Michelle Amanda Melissa Deborah Stephanie Rebecca Sharon Cynthia Kathleen Amy Angela Shirley Brenda Pamela Nicole "
    "Samantha Christine Catherine Victoria Rachel Carolyn Janet Diane Ruth Heather Olivia Alice Hannah Charlotte Grace Chloe Zoë Renée "
    "Françoise Hélène Amélie Céline Aurélie Élodie Camille Margaux Lucía Carmen Dolores Pilar Isabel Inés Beatriz Rocío Agnieszka "
    "Małgorzata Joanna Zofia Katarzyna Łucja Giulia Chiara Francesca Alessandra Martina Ursula Monika Sabine Petra Heike Birgit Jürgenia "
    "Ingrid Astrid Sigrid Åsa Maja Freja Aisha Fatima Leila Yasmin Mei Yuki Sakura Priya Ananya Olga Tatiana Svetlana Natalia Irina"
)
MEN = words(
    "James John Robert Michael William David Richard Joseph Thomas Charles Christopher Daniel Matthew Anthony Mark Donald Steven Andrew "
    "Paul Joshua Kenneth Kevin Brian George Timothy Ronald Edward Jason Jeffrey Ryan Jacob Gary Nicholas Eric Jonathan Stephen Larry "
    "Justin Scott Brandon Benjamin Samuel Gregory Alexander Patrick Frank Raymond Jack Dennis Jerry Peter Henry Oliver Leo Noah Lucas "
    "Jürgen Günther Björn Sören Jörg Wolfgang Dieter Uwe Karl Heinz Hans Stefan Matthias Sebastian Tobias Florian François René Jérôme "
    "Rémi Benoît Gaël Mathieu Étienne José Jesús Raúl Álvaro Iván Andrés Ramón Łukasz Paweł Piotr Michał Krzysztof Giovanni Giuseppe "
    "Luca Matteo Alessandro Lars Anders Øyvind Håkon Mohammed Ahmed Omar Hassan Wei Hiroshi Kenji Arjun Rahul Dmitri Sergei Alexei Ivan"
)
NICKNAMES = {
    "Elizabeth": "Liz Beth Betty Lizzie", "Katharina": "Kathi", "Margaret": "Maggie Peggy Meg", "Susan": "Sue Susie", "Jennifer": "Jen",
    "Patricia": "Pat Patty", "Barbara": "Barb", "Jessica": "Jess", "Deborah": "Deb", "Rebecca": "Becky", "Christine": "Chris Chrissy",
    "Catherine": "Cathy Kate", "Victoria": "Vicky", "Samantha": "Sam", "Pamela": "Pam", "Cynthia": "Cindy", "Alexandra": "Alex",
    "James": "Jim Jimmy Jamie", "John": "Jack Johnny", "Robert": "Bob Rob Bobby", "Michael": "Mike Mick", "William": "Bill Will Billy",
    "David": "Dave", "Richard": "Rick Dick Rich", "Joseph": "Joe", "Thomas": "Tom", "Charles": "Charlie Chuck", "Christopher": "Chris",
    "Daniel": "Dan Danny", "Matthew": "Matt", "Anthony": "Tony", "Steven": "Steve", "Andrew": "Andy Drew", "Kenneth": "Ken",
    "Edward": "Ed Ted", "Timothy": "Tim", "Ronald": "Ron", "Nicholas": "Nick", "Jonathan": "Jon", "Benjamin": "Ben", "Samuel": "Sam",
    "Gregory": "Greg", "Alexander": "Alex Sasha", "Patrick": "Pat", "Raymond": "Ray", "Peter": "Pete", "Sebastian": "Basti",
    "Matthias": "Matze", "José": "Pepe", "Giuseppe": "Beppe",
}  # fmt: skip
FAMILIES = words(
    "Smith Johnson Williams Brown Jones Miller Davis Garcia Rodriguez Martinez Hernandez Lopez Gonzalez Wilson Anderson Thomas Taylor "
    "Jackson Martin Lee Perez Thompson White Harris Sanchez Clark Ramirez Lewis Robinson Walker Young Allen King Wright Scott Torres "
    "Nguyen Hill Flores Green Adams Nelson Baker Hall Rivera Campbell Mitchell Carter Roberts Müller Schmidt Schneider Fischer Weber "
    "Meyer Wagner Becker Schulz Hoffmann Schäfer Koch Bauer Richter Klein Wolf Schröder Neumann Schwarz Zimmermann Braun Krüger Hofmann "
    "Hartmann Lange Krause Lehmann Köhler Maier König Huber Kaiser Fuchs Peters Lang Scholz Möller Weiß Jung Hahn Vogel Friedrich Keller "
    "Günther Böhm Dubois Durand Leroy Moreau Simon Laurent Lefebvre Michel Bertrand Roux Girard Lefèvre Mercier Dupont Lambert Bonnet "
    "François Muñoz Álvarez Jiménez Núñez Ibáñez Peña Domínguez Gutiérrez Vázquez Rossi Russo Ferrari Esposito Bianchi Romano Colombo "
    "Ricci Marino Greco Bruno Gallo Conti Costa Mancini Nowak Kowalski Wiśniewski Wójcik Kamiński Lewandowski Zieliński Szymański Woźniak "
    "Dąbrowski Kozłowski Jankowski Hansen Johansen Olsen Larsen Sørensen Jensen Nielsen Åkesson Lindström Björklund Nyström O'Brien "
    "O'Connor Murphy Kelly Ryan Walsh Byrne McCarthy Gallagher MacDonald Stewart Khan Ahmed Ali Hussain Patel Singh Kumar Sharma Gupta "
    "Chen Wang Li Zhang Liu Yang Tanaka Suzuki Sato Takahashi Watanabe Kim Park Choi Ivanov Petrov Smirnov Kuznetsov Popov Sokolov "
    "van_Dijk de_Vries Janssen Bakker Visser Smit Silva Santos Oliveira Pereira Carvalho Yılmaz Kaya Demir Şahin Çelik Öztürk"
)
STREETS = words(
    "Main High Church Park Station Victoria Mill Green School Queen King Oak Maple Cedar Elm Washington Lake Hill Walnut Spring North "
    "Ridge River Sunset Chestnut Franklin Meadow Forest Highland Dogwood Laurel Willow Jefferson Pleasant Center Union Liberty Market "
    "Harbour Mozart Goethe Schiller Beethoven Bahnhof Garten Linden Berg Wald Wiesen Rosen Ring Dorf Garibaldi Verdi Dante Mazzini "
    "Hugo Pasteur Zola Moulin Gare Sol Luna Mayor Cervantes Alameda Lipowa Polna Leśna Ogrodowa Krótka"
)
COUNTRIES = {
    "US": ("+1{:03d}{:07d}", "{:05d}", "{n} {s} Street|{n} {s} St|{n} {s} Avenue|{n} {s} Ave|{n} {s} Road"),
    "GB": ("+44{:03d}{:07d}", "SW{:02d} {:01d}AB", "{n} {s} Road|{n} {s} Lane|{n} {s} Rd|{n} {s} Close"),
    "DE": ("+49{:03d}{:07d}", "{:05d}", "{s}straße {n}|{s}weg {n}|{s}allee {n}"),
    "FR": ("+33{:02d}{:07d}", "{:05d}", "{n} rue {s}|{n} avenue {s}|{n} place {s}"),
}
TOWNS = tuple(
    (town, region, country)
    for country, regions in {
        "US": {
            "TX": "Austin Dallas Houston",
            "CA": "Fresno Oakland Pasadena",
            "NY": "Albany Buffalo Rochester",
            "OH": "Dayton Toledo",
            "IL": "Peoria",
        },
        "GB": {"ENG": "Leeds Bristol York Reading Derby", "SCT": "Perth Dundee", "WLS": "Cardiff"},
        "DE": {"BY": "München Nürnberg Würzburg", "NW": "Köln Düsseldorf Münster", "BW": "Göppingen Freiburg", "HH": "Hamburg"},
        "FR": {"IDF": "Paris Créteil", "ARA": "Lyon Saint-Étienne", "BRE": "Rennes Brest"},
    }.items()
    for region, towns in regions.items()
    for town in words(towns)
)
_BEGINNINGS = words(
    "bar bel bor bren cal cor dal dor fel gar gran hal hol kel kor lam lan mar mel nor pel ran ros sal sel tal tor val ver wal win zan"
)
_MIDDLES = words("a e i o u an el in or ar es ist and ing er")
_ENDS = words("son mann ski ova berg ton ley ford dt ez o i er ard in stein sen wick ham field")


class Names:
    """Draws names as unevenly as they are given: a few are everywhere, most are rare."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        rare = ((b + m + e).title() for b in _BEGINNINGS for m in _MIDDLES for e in _ENDS)
        self._families = (*FAMILIES, *chance.sample(sorted(set(rare)), 9_000))
        self._weights = _uneven(len(self._families))
        self._given = {"f": (*WOMEN, *_rare("ia ine elle ana")), "m": (*MEN, *_rare("on us eo ian"))}
        self._given_weights = {sex: _uneven(len(names)) for sex, names in self._given.items()}

    def family(self) -> str:
        """Return a family name."""
        return _drawn(self._chance, self._families, self._weights)

    def given(self, sex: str) -> str:
        """Return a given name for `f` or `m`."""
        return _drawn(self._chance, self._given[sex], self._given_weights[sex])


def _rare(ends: str) -> Sequence[str]:
    return [(beginning + end).title() for beginning in _BEGINNINGS for end in words(ends)]


def _uneven(size: int) -> Sequence[float]:
    return tuple(accumulate(1 / (rank + 8) for rank in range(size)))


def _drawn(chance: random.Random, values: Sequence[str], sums: Sequence[float]) -> str:
    return values[bisect(sums, chance.random() * sums[-1], 0, len(values) - 1)]

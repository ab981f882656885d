"""How people are called, live and telephone in seven countries: what `guests` is made of."""

import random
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.identity.names import words
from threadline.identity.matching.person import Address


@dataclass(frozen=True, slots=True)
class Land:
    """Names and forms of one country; numbers are written with # for each digit that may be any."""

    code: str
    given: tuple[str, ...]
    short: Mapping[str, str]
    families: tuple[str, ...]
    stems: tuple[str, ...]
    ends: tuple[str, ...]
    """Rarer family names are a stem and an end."""
    streets: tuple[str, ...]
    towns: tuple[str, ...]
    post_code: str
    mobiles: str
    lines: tuple[str, ...]
    domains: tuple[str, ...]

    def family(self, chance: random.Random) -> str:
        """Return a family name, every other one of them a frequent one."""
        return chance.choice(self.families) if chance.random() < 0.5 else chance.choice(self.stems) + chance.choice(self.ends)

    def home(self, chance: random.Random) -> Address:
        """Return an address."""
        street = f"{chance.choice(self.streets)} {chance.choice(self.stems)}{chance.choice(self.ends)}"
        return Address(street, str(chance.randrange(1, 140)), chance.choice(self.towns), _digits(chance, self.post_code), "", self.code)

    def mobile(self, chance: random.Random) -> str:
        """Return a mobile number."""
        return _digits(chance, self.mobiles)

    def line(self, chance: random.Random) -> str:
        """Return the number of a fixed line."""
        return _digits(chance, chance.choice(self.lines))


def _digits(chance: random.Random, form: str) -> str:
    return "".join(str(chance.randrange(10)) if letter == "#" else letter for letter in form)


def _shorts(text: str) -> Mapping[str, str]:
    return dict(pair.split("=") for pair in text.split())


_ITALY = Land(
    "IT",
    words("Alessia Beatrice Carla Daniela Elisa Federica Gaia Ilaria Lucia Marta Noemi Paola Rosa Serena Teresa Valentina Andrea "
                "Bruno Carlo Davide Emanuele Fabio Gianluca Lorenzo Marco Nicola Paolo Riccardo Simone Stefano Tommaso Vincenzo Giuseppe"),
    _shorts("Valentina=Vale Federica=Fede Gianluca=Luca Vincenzo=Enzo Giuseppe=Beppe Tommaso=Tommy Riccardo=Ricky Daniela=Dani"),
    words("Moretti Barbieri Fontana Santoro Mariani Rinaldi Caruso Ferrara Galli Martini Leone Longo Gentile Lombardi Giordano "
                "Villa Conte D'Angelo De_Luca Di_Stefano Della_Valle Lo_Presti"),
    words("Bald Camp Cast Fabr Gras Mont Pell Sarn Tass Vent Zan Bott Cerr Mug"), words("ello ini ucci aro etti one anti oni"),
    ("Via", "Viale", "Corso", "Piazza"), ("Verona", "Lecce", "Pisa", "Trieste", "Forlì", "Cefalù"), "#####", "+3934#######",
    ("+39045#######", "+39050######"), ("libero.it", "gmail.com", "alice.it", "hotmail.it"),
)  # fmt: skip
_SPAIN = Land(
    "ES",
    words("Alba Begoña Consuelo Elena Esther Gloria Inmaculada Lorena Marina Montserrat Nuria Paula Raquel Silvia Teresa Verónica "
                "Adrián Alejandro Carlos Diego Emilio Fernando Gonzalo Hugo Ignacio Javier Joaquín Manuel Miguel Óscar Pablo Sergio"),
    _shorts("Montserrat=Montse Inmaculada=Inma Alejandro=Álex Ignacio=Nacho Fernando=Fer Manuel=Manu Javier=Javi Consuelo=Chelo"),
    words("Romero_Gil Navarro_Ruiz Serrano Ramos Molina Blanco Suárez Ortega Delgado Castro Rubio Marín Sanz Iglesias_Mora "
                "Medina Garrido_León Cortés Castillo Santos_Vidal Lozano Guerrero Cano"),
    words("Bel Cab Fuent Gal Herr Leon Mor Pal Quint Rosal Sal Vill Zamor Arr"), words("ero anes illa uela edo ares ado eño"),
    ("Calle", "Avenida", "Plaza", "Paseo"), ("Cádiz", "León", "Murcia", "Gijón", "Lugo", "Alcalá"), "#####", "+346########",
    ("+34956######", "+34987######"), ("hotmail.es", "gmail.com", "yahoo.es", "terra.es"),
)  # fmt: skip
_NETHERLANDS = Land(
    "NL",
    words("Anouk Bregje Daphne Eline Femke Hilde Ilse Jolanda Kim Lieke Marijke Nienke Roos Sanne Tess Wilma Bas Coen Daan Erik "
                "Floris Gijs Hugo Jeroen Joost Koen Maarten Niels Pieter Ruben Sjoerd Thijs Willem Johannes"),
    _shorts("Marijke=Rijke Willem=Wim Johannes=Hans Pieter=Piet Jolanda=Jo Maarten=Maart"),
    words("Jansen de_Jong van_den_Berg van_der_Meer de_Boer Mulder de_Groot Bos Vos Peters Hendriks van_Leeuwen Dekker Brouwer "
                "de_Wit Dijkstra Smits de_Graaf van_der_Linden Kok Jacobs ter_Horst"),
    words("Haar Wester Ooster Noor Zand Berk Eiken Hof Kamp Linde Molen Ster Veld"), words("man sma stra huis hout veld mans"),
    ("", "Oude", "Nieuwe", "Lange"), ("Utrecht", "Breda", "Zwolle", "Delft", "Leiden"), "#### AB", "+316########",
    ("+3130#######", "+3176#######"), ("ziggo.nl", "gmail.com", "kpnmail.nl", "outlook.com"),
)  # fmt: skip
_SWEDEN = Land(
    "SE",
    words("Agneta Birgitta Ebba Elsa Frida Gunilla Ida Kerstin Linnéa Malin Märta Pernilla Saga Tuva Ulrika Wilma Axel Bengt Erik "
                "Filip Gustav Göran Hampus Isak Johan Kjell Lennart Måns Oskar Per Ragnar Sven Tage Viktor"),
    _shorts("Birgitta=Gitta Gustav=Gurra Johan=Jocke Viktor=Vicke Kerstin=Kicki Lennart=Lelle"),
    words("Andersson Johansson Karlsson Nilsson Eriksson Larsson Olsson Persson Svensson Gustafsson Pettersson Jonsson Jansson "
                "Hansson Bengtsson Jönsson Lindberg Sjöberg Åberg Öberg"),
    words("Berg Dal Ek Fors Gran Hag Lind Lund Nord Sand Ström Söder Väster Ö"), words("qvist gren ström mark blad lund in"),
    ("Stora", "Lilla", "Norra", "Södra"), ("Uppsala", "Växjö", "Luleå", "Borås", "Örebro"), "### ##", "+4670#######",
    ("+4618######", "+46470#####"), ("telia.com", "gmail.com", "hotmail.se", "bredband.net"),
)  # fmt: skip
_TURKEY = Land(
    "TR",
    words("Aslı Ayşe Berna Canan Defne Ebru Elif Gizem Hatice İrem Melis Nazlı Pınar Selin Şule Zeynep Ali Barış Burak Cem Deniz "
                "Emre Fatih Gökhan Hakan İsmail Kaan Levent Murat Onur Ömer Serkan Tolga Yusuf Mehmet Mustafa"),
    _shorts("Mehmet=Memo Mustafa=Mıstık Zeynep=Zeyno İsmail=İsmo"),
    words("Yıldız Aydın Arslan Doğan Kılıç Aslan Çetin Kara Koç Kurt Özdemir Şimşek Polat Korkmaz Erdoğan Güneş Aksoy Bulut"),
    words("Ak Kara Boz Demir Gök Taş Er Öz Sarı Yıl"), words("kaya soy demir oğlu taş gül han pınar dağ"),
    ("Cadde", "Sokak"), ("İzmir", "Bursa", "Konya", "Muğla"), "#####", "+9053########", ("+90232#######", "+90224#######"),
    ("gmail.com", "hotmail.com", "mynet.com"),
)  # fmt: skip
_BRAZIL = Land(
    "BR",
    words("Aline Bruna Camila Débora Eduarda Fernanda Gabriela Isabela Jéssica Larissa Mariana Natália Patrícia Rafaela Tatiana "
                "Vitória Bruno Caio Diego Eduardo Felipe Guilherme Henrique João Leandro Márcio Otávio Paulo Rafael Thiago Vinícius"),
    _shorts("Fernanda=Fê Gabriela=Gabi Eduardo=Edu Guilherme=Gui Rafael=Rafa Isabela=Bela Mariana=Mari"),
    words("da_Silva dos_Santos Souza Lima Ferreira Costa Almeida Nascimento Araújo Ribeiro Barbosa Rocha Dias Moreira Cardoso "
                "Teixeira Correia Cavalcanti Monteiro Melo"),
    words("Alv Bar Cam Fer Gui Mach Nov Pal Pin Reb Sal Tav Vas Mour"), words("ares eira ado ão inho elo ais ente"),
    ("Rua", "Avenida", "Travessa"), ("Recife", "Niterói", "Curitiba", "Belém"), "#####-###", "+55119########",
    ("+55113#######", "+55213#######"), ("uol.com.br", "gmail.com", "bol.com.br"),
)  # fmt: skip
_BRITAIN = Land(
    "GB",
    words("Abigail Bethany Chloe Daisy Eleanor Fiona Gemma Harriet Imogen Joanne Kirsty Louise Megan Naomi Philippa Rosie Theresa "
                "Alan Barry Callum Derek Euan Fraser Graham Harvey Ian Jake Keith Liam Martin Neil Oscar Philip Robert Stuart William"),
    _shorts("Abigail=Abby Eleanor=Ellie Philippa=Pippa Theresa=Tess Robert=Bob William=Bill Philip=Phil Stuart=Stu Joanne=Jo"),
    words("Shaw Hughes Edwards Cooper Ward Turner Bennett Cook Bailey Richardson Cox Marshall Ellis Webb Palmer Mills Hunt Knight "
                "Fox Butler Price Bates"),
    words("Ash Black Brad Hart Hol Kings New Nor Red Stan Thorn West Whit Wood"), words("ley ton ham worth field bury croft"),
    ("Old", "Upper", "Little", "Great"), ("Exeter", "Hull", "Bolton", "Luton", "Stirling"), "EX# #QJ", "+4477########",
    ("+441392######", "+441482######"), ("btinternet.com", "gmail.com", "sky.com", "icloud.com"),
)  # fmt: skip
LANDS: Mapping[str, Land] = {land.code: land for land in (_ITALY, _SPAIN, _NETHERLANDS, _SWEDEN, _TURKEY, _BRAZIL, _BRITAIN)}

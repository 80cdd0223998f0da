"""What the name of a column tells about what it holds, in the languages that customer tables are written in."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

from anyascii import anyascii

from clvspark.identity.settings import Kind

Named = Kind | Literal["truth", "number"]
# Regular expressions of words joined by underscores; the first line that a name contains tells.
_NAMES: list[tuple[Named, str]] = [
    ("truth", """cluster(_id)? truth true_id ground_truth label person_(id|key) entity_id match_id is_match
        is_duplicate"""),
    ("number", "house_?(number|no|nr) street_?(number|no|nr) hausnummer huisnummer"),
    ("email", "e_?mail(_?address)? courriel correo epost"),
    ("phone", "(tele)?phone telefono? tel mobiel? mobile? cell handy gsm celular msisdn landline"),
    ("postcode", """post_?code postal(_?code)? zip(_?code)? plz postleitzahl code_postal codigo_postal eircode
        postnummer"""),
    ("birth_date", """dob birth_?da(te|y) date_of_birth born(_on)? geburts(datum|tag) naissance date_(de_)?naissance
        fecha_(de_)?nacimiento data_(di_)?nascita data_(de_)?nascimento geboortedatum data_urodzenia fodselsdato
        fodelsedatum"""),
    ("text", "(middle|maiden|second|birth)_?name"),
    ("full_name", """full_?name first_and_surname display_name nom_complet nombre_completo nome_completo
        nom_prenom"""),
    ("given_name", """given_?names? fore_?names? first_?names? fname vorname prenom nombre voornaam imie fornamn
        fornavn etunimi"""),
    ("surname", """sur_?name last_?name lname family_?name nachname familienname nom nom_de_famille apellidos? cognome
        achternaam nazwisko sobrenome efternamn etternavn sukunimi"""),
    ("street", "street(_?(name|address))? address_?(line_?)?1 strasse rue calle via straat ulica"),
    ("address", "address adresse? direccion indirizzo endereco adres"),
    ("identifier", """ssn soc(ial)?_sec(urity)?(_(id|no|number))? national_id passport tax_?id nino iban licen[cs]e
        loyalty card member(ship)? device cookie (customer|client|account)_?(id|no|nr|number)"""),
    ("text", """city town suburb ort ville ciudad citta stad place county region occupation job profession employer
        company"""),
    ("full_name", "name naam"),
]  # fmt: skip


@lru_cache
def kind_of_name(column: str) -> Named | None:
    """Kind that the name of a column tells; ``truth`` and ``number`` for what cannot be compared; None if nothing."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", anyascii(column))
    name = re.sub(r"[^a-z0-9]+", "_", snake.lower()).strip("_")
    for kind, words in _NAMES:
        if re.search(rf"(?:^|_)(?:{'|'.join(words.split())})_?[0-9]?(?:_|$)", name):
            return kind
    return None

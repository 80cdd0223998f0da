"""Which persons live together, and where: every value depends on keys only."""

from __future__ import annotations

from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.simulate.draws import Draws, word_array
from clvspark.simulate.words import streets, surnames, towns

# Of every 20 consecutive persons 13 live alone and 7 in families; two layouts alternate at random.
BLOCK: Final = 20
_HEADS: Final = (
    (*range(13), 13, 13, 13, 16, 16, 16, 16),
    (*range(13), 13, 13, 15, 15, 17, 17, 17),
)


def household_key(person_key: Column, draws: Draws) -> Column:
    """Return the key of the person who heads the household (for a single person, itself)."""
    block = F.floor(person_key / BLOCK)
    position = F.pmod(person_key, F.lit(BLOCK)).cast("int")
    heads = word_array([str(head) for layout in _HEADS for head in layout])
    layout = draws.integer(len(_HEADS), "household layout", block)
    head = F.element_at(heads, layout * BLOCK + position + 1).cast("int")
    return (block * BLOCK + head).cast("long")


def household_size(role: Column, person_key: Column, draws: Draws) -> Column:
    """Return how many persons the layout puts into the household."""
    head_key = person_key - role
    block = F.floor(head_key / BLOCK)
    position = F.pmod(head_key, F.lit(BLOCK)).cast("int")
    sizes = word_array([str(layout.count(p)) for layout in _HEADS for p in range(BLOCK)])
    layout = draws.integer(len(_HEADS), "household layout", block)
    return F.element_at(sizes, layout * BLOCK + position + 1).cast("int")


def household_surname(key: Column, draws: Draws) -> Column:
    """Return the surname that a family shares."""
    return draws.choose(surnames(), "surname", key)


def add_address(frame: DataFrame, name: str, key: str, draws: Draws) -> DataFrame:
    """Add the column `name`: the address that belongs to the column `key`, null where it is null.

    A struct of flat, street (with number), city, postcode and telephone area code. A postcode
    belongs to one street of one town, so neighbours share it.
    """
    home, town, street = F.col(key), F.col("_town"), F.col("_street")
    number = (draws.integer(120, "house number", home) + 1).cast("string")
    flat = F.concat(F.lit("Flat "), (draws.integer(24, "flat number", home) + 1).cast("string"))
    letters = word_array(list("ABDEFGHJLNPQRSTUWXYZ"))
    inward = [
        draws.integer(10, "inward digit", town[0], street).cast("string"),
        F.element_at(letters, draws.integer(20, "inward first", town[0], street) + 1),
        F.element_at(letters, draws.integer(20, "inward second", town[0], street) + 1),
    ]
    address = F.struct(
        F.when(draws.chance(0.15, "has flat", home), flat).alias("flat"),
        F.concat_ws(" ", number, street).alias("street"),
        town[0].alias("city"),
        F.concat(town[1], F.lit(" "), *inward).alias("postcode"),
        town[2].alias("area_code"),
    )
    return (
        frame.withColumn("_town", F.split(draws.choose(towns(), "town", home), ";"))
        .withColumn("_street", draws.choose(streets(), "street", home))
        .withColumn(name, F.when(home.isNotNull(), address))
        .drop("_town", "_street")
    )


def landline(home: Column, key: Column, draws: Draws) -> Column:
    """Return a national landline number of the home's area: 11 digits."""
    number = F.lpad(draws.integer(800_000, "landline", key) + 200_000, 6, "0")
    return F.concat(home["area_code"], number)


def mobile(purpose: str, key: Column, draws: Draws) -> Column:
    """Return a national mobile number: 11 digits starting with 07."""
    prefixes = ("074", "075", "077", "078", "079")
    number = F.lpad(draws.integer(100_000_000, f"{purpose} number", key), 8, "0")
    return F.concat(draws.choose(prefixes, f"{purpose} prefix", key), number)

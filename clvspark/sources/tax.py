"""Prices that include their tax become amounts without it, line by line and to the cent."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, DataType

from clvspark.lakehouse.table import MONEY
from clvspark.sources.amounts import CONTRADICTION, net_revenue_of
from clvspark.sources.config import INCLUDES_TAX, Output
from clvspark.sources.values import text_of, typed


def includes_tax(output: Output, kinds: dict[str, DataType]) -> Column | None:
    """Whether the prices of a landing row include tax, NULL where that cannot be read; None where none of them do.

    In: `kinds` are the types of the landing columns.
    """
    rule = output.prices_include_tax
    if isinstance(rule, bool):
        return F.lit(True) if rule else None
    return typed(text_of(rule, kinds, whole=False), BooleanType(), rule, kinds)


def take_out_tax(said: Mapping[str, Column], includes: Column) -> dict[str, Column]:
    """What a system says of a line's amounts, without the tax that its prices include where `includes` holds.

    Net revenue is always among them, also where it only follows from what is said: what was paid less the tax, to the
    cent. Gross revenue and discount are taken to hold the same share of tax, and are rounded. Net revenue is NULL where
    the tax, or whether it is included, is not known; nothing includes no tax. The tax itself, cost and margin stay as
    they are.
    """
    paid = net_revenue_of(said)
    net = (paid - _tax_of(said, paid)).try_cast(MONEY)
    plain = {**said, "net_revenue": F.when(includes, net).when(~includes, paid)}
    for name in said.keys() & {"gross_revenue", "discount"}:
        tax = F.try_divide(F.try_multiply(said[name], said["tax"]), paid)
        rest = F.coalesce((said[name] - tax).try_cast(MONEY), said[name])
        plain[name] = F.when(includes, rest).when(~includes, said[name])
    return plain


def faults_of_tax(said: Mapping[str, Column], includes: Column, *, is_sale: Column) -> list[Column]:
    """The reasons for which net revenue without tax is not known; each NULL where there is no such reason.

    In: what the system says. `is_sale`: whether the event has revenue at all.
    """
    paid = net_revenue_of(said)
    tax = _tax_of(said, paid)
    is_beyond = (paid * tax < 0) | (F.abs(tax) > F.abs(paid))
    return [
        F.when(is_sale & paid.isNotNull() & includes.isNull(), F.lit(f"bad_value:{INCLUDES_TAX}")),
        F.when(is_sale & includes & paid.isNotNull() & tax.isNull(), F.lit("missing:tax")),
        F.when(is_sale & includes & is_beyond, F.lit(CONTRADICTION)),
    ]


def _tax_of(said: Mapping[str, Column], paid: Column) -> Column:
    return F.coalesce(said["tax"], F.when(paid == 0, F.lit(0).cast(MONEY)))

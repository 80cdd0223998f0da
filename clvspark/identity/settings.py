"""Settings of identity resolution: any table of records described as data."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from clvspark.lakehouse.config import StrictModel, load_config

Kind = Literal[
    "given_name", "surname", "birth_date", "email", "phone", "postcode", "street", "identifier"
]


class Attribute(StrictModel):
    """One column of the records and what kind of thing it holds."""

    column: str
    kind: Kind
    fallbacks: list[str] = Field(
        [], description="columns that give the value where `column` is empty"
    )
    compare: bool = Field(True, description="false: kept for blocking and the trusted links only")
    term_frequency: bool = Field(
        True, description="a rare value is stronger evidence than a common one"
    )
    max_distinct_names: int | None = Field(
        None,
        ge=1,
        description="seen with more given names than this, the identifier is no evidence",
    )


class TrainingSettings(StrictModel):
    """How the Fellegi-Sunter model is estimated, on a sample in DuckDB."""

    sample_records: int = Field(100_000, ge=100)
    u_max_pairs: int = Field(1_000_000, ge=1000)
    deterministic_rules: list[list[str]] = Field(
        min_length=1, description="column sets that all but prove a match"
    )
    deterministic_recall: float = Field(
        0.7, gt=0, le=1, description="share of true pairs these rules find"
    )
    em_rules: list[list[str]] = Field(
        min_length=1, description="one EM run on the pairs of each rule"
    )
    seed: int = 1


class IdentitySettings(StrictModel):
    """Everything that says how records become persons.

    The weights are bits: 0 is even odds given the prior, 10 is about 1,000 to 1.
    """

    unique_id: list[str] = Field(["source_system", "source_record_id"], min_length=1)
    full_name: str | None = Field(
        None, description="column with a whole name, used where the parts are missing"
    )
    country: str = Field("GB", pattern="^[A-Z]{2}$", description="region of national phone numbers")
    attributes: list[Attribute]
    trusted_identifiers: list[str] = Field(
        [], description="columns whose equality alone makes one person"
    )
    blocking_rules: list[list[str]] = Field(default_factory=list)
    training: TrainingSettings | None = None
    link_weight: float = Field(0.0, description="pairs from this weight on form components")
    cut_weight: float = Field(
        1.0, description="mean weight between two groups that keeps them one person"
    )
    conflict_weight: float = Field(
        8.0,
        ge=0,
        description="taken off, inside a component, for each of given name and birth date that contradict",
    )
    clip_weight: float = Field(
        12.0, gt=0, description="weights beyond this count as this in the mean"
    )
    max_block_records: int = Field(
        1000, ge=2, description="a block with more records is not compared but reported"
    )
    max_person_records: int = Field(
        50, ge=1, description="a person with more records is taken apart and reported"
    )

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        known = {a.column for a in self.attributes} | {
            derived for a in self.attributes for derived in derived_columns(a)
        }
        training = self.training
        rules = {
            "blocking_rules": self.blocking_rules,
            "trusted_identifiers": [[name] for name in self.trusted_identifiers],
            "training.deterministic_rules": training.deterministic_rules if training else [],
            "training.em_rules": training.em_rules if training else [],
        }
        for key, lists in rules.items():
            unknown = sorted({name for names in lists for name in names} - known)
            if unknown:
                raise ValueError(
                    f"{key} names {', '.join(unknown)}; known are {', '.join(sorted(known))}"
                )
        if self.compared and not (training and self.blocking_rules):
            raise ValueError("attributes are to be compared: give 'blocking_rules' and 'training'")
        if not self.compared and not self.trusted_identifiers and (self.blocking_rules or training):
            raise ValueError("no attribute is compared: drop 'blocking_rules' and 'training'")
        return self

    @property
    def compared(self) -> list[Attribute]:
        """Attributes that the probabilistic model compares."""
        return [attribute for attribute in self.attributes if attribute.compare]

    @classmethod
    def from_yaml(cls, path: str | Path) -> Self:
        """Read settings from a file; ConfigError lists every fault."""
        return load_config(path, cls)


def derived_columns(attribute: Attribute) -> list[str]:
    """Columns that standardisation adds beside the attribute's own."""
    added = {
        "given_name": ["_forms", "_initial"],
        "birth_date": ["_year"],
        "postcode": ["_area"],
    }
    return [attribute.column + suffix for suffix in added.get(attribute.kind, [])]

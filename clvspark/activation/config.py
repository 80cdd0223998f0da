"""Configuration of activation: where lists go, what they may be used for, and who is held out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Literal

from pydantic import Field, field_validator

from clvspark.activation.destinations.settings import AnyDestination, FileDestination
from clvspark.activation.policies import LabelsConfig, Policy, core_policies, find_violations
from clvspark.lakehouse.strict_model import StrictModel, check, repeated

__all__ = ["ActivationConfig", "CampaignHoldout", "FileDestination", "HoldoutConfig"]

Stratum = Literal["clv_decile", "lifecycle_stage"]


class HoldoutConfig(StrictModel):
    """The share of persons who are never activated, for measuring what activation is worth."""

    percent: float = Field(10.0, ge=0, le=50)
    salt: str = Field(
        "clvspark", min_length=1, description="changing it deals the groups anew for new persons"
    )
    stratify_by: Stratum | None = Field(
        None, description="hold the share in each stratum, not only over all"
    )


class CampaignHoldout(HoldoutConfig):
    """The share of an audience that is not told about for this audience alone, beside the global holdout."""

    audience: str = Field(min_length=1)


class ActivationConfig(StrictModel):
    """Destinations, policies and holdouts."""

    exports: str = Field(description="folder that the files are written to")
    destinations: list[AnyDestination] = Field(default_factory=list)
    holdout: HoldoutConfig = HoldoutConfig()  # type: ignore[call-arg]
    campaign_holdouts: list[CampaignHoldout] = Field(default_factory=list)
    labels: LabelsConfig = LabelsConfig()
    policies: list[Policy] = Field(default_factory=core_policies)

    @property
    def percent_by_audience(self) -> dict[str, float]:
        """Of audiences with a holdout of their own, the share that either holdout keeps from being told."""
        every = self.holdout.percent
        return {c.audience: every + c.percent * (1 - every / 100) for c in self.campaign_holdouts}

    @field_validator("exports")
    @classmethod
    def _plain_folder(cls, exports: str) -> str:
        if ".." in PurePosixPath(exports).parts or ":" in exports:
            raise ValueError("must be a plain folder without '..' or a scheme")
        return exports

    @check
    def _each_destination_once(self) -> Iterator[str]:
        for name in repeated(destination.id for destination in self.destinations):
            yield f"two destinations have the same id, {name}"

    @check
    def _each_campaign_once(self) -> Iterator[str]:
        for name in repeated(campaign.audience for campaign in self.campaign_holdouts):
            yield f"two campaign_holdouts are of the audience {name}"

    @check
    def _holdouts_of_audiences_that_are_told(self) -> Iterator[str]:
        told = {name for destination in self.destinations for name in destination.audiences}
        for campaign in self.campaign_holdouts:
            if campaign.audience not in told:
                yield f"campaign_holdouts: no destination is told of the audience {campaign.audience}"

    @check
    def _no_policy_is_violated(self) -> Iterator[str]:
        for destination in self.destinations:
            yield from find_violations(destination, self.labels, self.policies)

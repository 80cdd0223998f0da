"""Omnichannel landing files with known truth: real purchases (demo) or a known process."""

from clvspark.simulate.cdnow import CUSTOMERS as DEMO_CUSTOMERS
from clvspark.simulate.drops import SimulationSummary
from clvspark.simulate.generator import simulate_demo, simulate_population
from clvspark.simulate.settings import Campaign, PopulationSettings, PurchaseProcess

__all__ = [
    "DEMO_CUSTOMERS",
    "Campaign",
    "PopulationSettings",
    "PurchaseProcess",
    "SimulationSummary",
    "simulate_demo",
    "simulate_population",
]

"""Checks of an installation, each with how to mend what is missing. Nothing is written but to temporary folders."""

from clvspark.doctor.check import Check, Finding, NotExamined, examine
from clvspark.doctor.checks import checks_of
from clvspark.doctor.report import missing, print_findings, to_json

__all__ = [
    "Check",
    "Finding",
    "NotExamined",
    "checks_of",
    "examine",
    "missing",
    "print_findings",
    "to_json",
]

"""What was found, as a table for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from clvspark import __version__, console
from clvspark.doctor.check import Finding
from clvspark.lakehouse.logs import redact


def missing(findings: Sequence[Finding]) -> list[Finding]:
    """Those without which nothing runs."""
    return [finding for finding in findings if finding.status == "missing"]


def print_findings(findings: Sequence[Finding]) -> None:
    """A table of all checks, then how to mend what is missing."""
    rows = [
        (finding.name, finding.status, finding.seconds, _first_line(finding.found))
        for finding in findings
    ]
    console.table("Installation", ["check", "status", "seconds", "found"], rows, left=2, texts={3})
    for finding in findings:
        if finding.mend:
            kind = "Missing" if finding.status == "missing" else "Optional"
            console.out.print(
                redact(f"{kind}: {finding.name}: {finding.found}. Next step: {finding.mend}"),
                markup=False,
                soft_wrap=True,
            )
    wrong = len(missing(findings))
    console.out.print(
        f"{wrong} of {len(findings)} checks found something missing."
        if wrong
        else "Everything that is needed is here."
    )


def to_json(findings: Sequence[Finding]) -> str:
    """One object: the version, whether all that is needed is here, and the checks in their order."""
    told = {
        "clvspark": __version__,
        "ok": not missing(findings),
        "checks": [{**asdict(finding), "found": redact(finding.found)} for finding in findings],
    }
    return json.dumps(told, indent=2)


def _first_line(text: str) -> str:
    return redact(text).partition("\n")[0]

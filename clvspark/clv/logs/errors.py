"""What can be wrong with a transaction log."""

from __future__ import annotations

from clvspark.lakehouse.errors import ContractError


class TransactionLogError(ContractError):
    """Rows of a transaction log are not what its columns promise; all faults are listed, and nothing was fitted."""

    def __init__(self, where: str, faults: list[str], *, next_step: str = "") -> None:
        """Keep the faults, one sentence each, found in the file `where`."""
        self.faults = faults
        noun = "fault" if len(faults) == 1 else "faults"
        message = "\n  - ".join([f"{where}: {len(faults)} {noun}", *faults])
        super().__init__(f"{message}\nNext step: {next_step}" if next_step else message)

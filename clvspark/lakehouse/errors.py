"""Every error that clvspark raises on purpose: what, where, what is allowed, and the next step."""

from __future__ import annotations


class ClvsparkError(Exception):
    """Base of all errors meant to be read by a person; the command line prints it without a traceback."""

    exit_code = 1


class ConfigError(ClvsparkError):
    """The configuration is wrong; all faults of a file are listed in one message."""

    exit_code = 2

    def __init__(self, where: str, faults: list[str]) -> None:
        """Keep the faults, one sentence each, found in the file `where`."""
        self.where = where
        self.faults = faults
        noun = "fault" if len(faults) == 1 else "faults"
        super().__init__("\n  - ".join([f"{where}: {len(faults)} {noun}", *faults]))


class MissingInputError(ClvsparkError):
    """A landing folder, file or table that a stage needs is not there."""

    exit_code = 3


class ContractError(ClvsparkError):
    """A data frame breaks the contract of the table it was to be written to; nothing was written."""

    exit_code = 4


class LockedError(ClvsparkError):
    """Another process writes to this lakehouse, or has changed a table meanwhile."""

    exit_code = 5


class VersionError(ClvsparkError):
    """The lakehouse has the format of a newer clvspark, or of an older one and was not migrated yet."""

    exit_code = 6


class OutputExistsError(ClvsparkError, FileExistsError):
    """A folder that is to be written holds something already."""

    exit_code = 10


class TrainingError(ClvsparkError):
    """A model could not be trained on the data given; the previous model stays in use."""

    exit_code = 7


class DeliveryError(ClvsparkError):
    """A destination did not receive all that it was to be told; nothing counts as delivered."""

    exit_code = 14


class DamagedFileError(ClvsparkError):
    """A file that must be read is cut short, altered, or not of the format that it should have."""

    exit_code = 11


class StorageError(ClvsparkError):
    """The storage refused to be read or written: a right is missing, it is full, read-only, or limits files in size."""

    exit_code = 12


class PromiseError(ClvsparkError):
    """The demo ran to its end, but what came out is not what it promises."""

    exit_code = 13


class CheckpointError(ClvsparkError):
    """The stream's checkpoint is not the one that the tables were written with, or they are not as it left them."""

    exit_code = 15


class ResourceError(ClvsparkError):
    """The machine gave out: memory ran out, or a process of Spark was ended from outside."""

    exit_code = 16

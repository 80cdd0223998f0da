"""The lakehouse: tables behind their contracts, one writer, every stage in the run log."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date
from typing import Literal

from py4j.protocol import Py4JJavaError
from pydantic import BaseModel
from pyspark.errors import PySparkException
from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from clvspark.lakehouse.compare import BROADCAST_ROWS, compare_rows, keep_first_values
from clvspark.lakehouse.config import LakehouseConfig
from clvspark.lakehouse.contract import verify_contract, verify_contracts
from clvspark.lakehouse.errors import MissingInputError
from clvspark.lakehouse.formats import properties_of, refuse_other_format
from clvspark.lakehouse.lock import writer_lock
from clvspark.lakehouse.overtaken import write_again
from clvspark.lakehouse.run import Run
from clvspark.lakehouse.run_log import RUN, RunLog
from clvspark.lakehouse.side_by_side import side_by_side
from clvspark.lakehouse.storage import Storage
from clvspark.lakehouse.table import Table
from clvspark.lakehouse.transaction import Transaction

# Of a table of which more rows differ, all are written anew: that is cheaper.
_RENEWED_SHARE = 0.2
# Dates that a message names at most, the newest first.
_NAMED_DATES = 5
# Called with a stage and the step that it begins, "" for the stage itself.
Progress = Callable[[str, str], None]


class Lakehouse:
    """All tables of one installation, in path or in catalog mode.

    Parameters
    ----------
    tables : contracts by name; a table that is not among them cannot be reached.
    progress : called with stage and step whenever a stage or a step of it begins.
    migrating : it is opened to be migrated, so that an earlier format is no reason to refuse it.
    """

    def __init__(
        self,
        spark: SparkSession,
        config: LakehouseConfig,
        tables: Mapping[str, Table],
        progress: Progress | None = None,
        *,
        migrating: bool = False,
    ) -> None:
        """Bind a session to a lakehouse; VersionError if it has another format."""
        self.spark = spark
        self.config = config
        self.tables = tables
        self.progress: Progress = progress or (lambda *_: None)
        self.storage = Storage(spark, config)
        self.log = RunLog(self)
        if self.exists(RUN):
            refuse_other_format(self.storage.properties(RUN.name), migrating=migrating)

    @contextmanager
    def writing(self, command: str, *, patience_seconds: float = 0) -> Iterator[None]:
        """Hold the lakehouse for writing; LockedError if another process still does after the patience (path mode)."""
        with ExitStack() as stack:
            if self.storage.local_root is not None:
                lock = writer_lock(
                    self.storage.local_root, command, patience_seconds=patience_seconds
                )
                stack.enter_context(lock)
            try:
                yield
            finally:
                self.log.flush()

    def table(self, name: str) -> DataFrame:
        """Read a table by its name, e.g. ``clv.customer_value``."""
        if name not in self.tables:
            raise MissingInputError(
                f"There is no table {name!r}. Tables: {', '.join(sorted(self.tables))}."
            )
        return self.read(self.tables[name])

    def exists(self, table: Table) -> bool:
        """Whether the table has been written."""
        return self.storage.exists(table.name)

    def read(self, table: Table, *, version: int | None = None) -> DataFrame:
        """Read a table in the order of its contract; MissingInputError if no stage has written it.

        A column that the contract has gained since the table was written is NULL.
        """
        if not self.exists(table):
            raise MissingInputError(
                f"{table.name} does not exist yet. Run the stage that writes it first, or all: clvspark run"
            )
        return table.fill(self.storage.read(table.name, version=version))

    def read_or_empty(self, table: Table, *, version: int | None = None) -> DataFrame:
        """Read a table, or an empty data frame of its contract before the first write."""
        if self.exists(table):
            return self.read(table, version=version)
        return self.spark.createDataFrame([], table.schema)

    def read_of(self, table: Table, as_of: date, *, stage: str) -> DataFrame:
        """Read the rows of one date; MissingInputError names the dates there are, and the stage that makes them.

        A date that the stage was run for and found nobody on has no rows, which is no error.
        """
        rows = self.read_or_empty(table)
        found = rows.where(F.col("as_of_date") == F.lit(as_of))
        if not found.isEmpty() or self.log.last_success(stage, as_of):
            return found
        newest = rows.select("as_of_date").distinct().orderBy(F.desc("as_of_date"))
        dates = [str(row[0]) for row in newest.limit(_NAMED_DATES).collect()]
        raise MissingInputError(
            f"{table.name} has no rows as of {as_of}; it has {', '.join(dates) or 'none of any date'}. Run first, with "
            f"the same --config: clvspark {stage} --as-of {as_of} (or all stages: clvspark run --as-of {as_of})."
        )

    def version(self, table: Table) -> int | None:
        """Newest version of a table, None before its first write."""
        return self.storage.version(table.name)

    def run(
        self,
        stage: str,
        *,
        as_of: date | None,
        config: BaseModel,
        reads: Sequence[Table],
        writes: Sequence[Table],
        also: Mapping[str, str] | None = None,
    ) -> Run:
        """Open a run of a stage; ``run.is_current`` says that nothing it depends on has changed.

        `also` is what it depends on beside configuration and tables: digests of files, a day of the calendar.
        """
        return Run(self, stage, as_of, config, reads, writes, also or {})

    def overwrite(
        self,
        table: Table,
        df: DataFrame,
        *,
        where: str | None = None,
        cached: bool = False,
        verified: int | None = None,
    ) -> int:
        """Replace the table, or its rows for which `where` holds; return the number of rows written.

        `df` is verified and then written, so it is kept in memory meanwhile, unless it comes from a cache
        (`cached`). Where rows in memory have been verified before, see `verify_all`, `verified` is their number.
        """
        return self._write(table, df, "overwrite", where, cached, verified=verified)

    def verify_all(
        self, frames: Mapping[Table, DataFrame], *, where: str | None = None, cached: bool = False
    ) -> dict[Table, tuple[DataFrame, int]]:
        """Rows of several tables, in memory and verified as by `overwrite`, in one job for all; and their numbers."""

        def keep(item: tuple[Table, DataFrame]) -> DataFrame:
            table, df = item
            conformed = table.conform(df)
            return conformed if cached else conformed.localCheckpoint(eager=False)

        kept = side_by_side(keep, frames.items())
        counts = verify_contracts(list(zip(kept, frames, strict=True)), where=where)
        return dict(zip(frames, zip(kept, counts, strict=True), strict=True))

    def append(
        self,
        table: Table,
        df: DataFrame,
        *,
        once: Transaction | None = None,
        cached: bool = False,
        verified: int | None = None,
    ) -> int:
        """Add rows; return their number. Keys are verified within `df` only, which may come from a cache (`cached`).

        A write that was done under the transaction `once` before is skipped. Where rows in memory have been verified
        before, see `verify_contracts`, `verified` is their number.
        """
        return self._write(table, df, "append", None, cached=cached, once=once, verified=verified)

    def merge(
        self,
        table: Table,
        df: DataFrame,
        *,
        gone: DataFrame | None = None,
        once: Transaction | None = None,
        verified: int | None = None,
    ) -> int:
        """Insert new keys, update known ones and delete those of `gone`, in one commit.

        A key that `df` and `gone` share is updated. Returns the number of rows written and deleted. A write that was
        done under the transaction `once` before is skipped; one that lost against another writer is done again. Where
        both are in memory, share no key and have been verified, see `verify_contracts`, `verified` is their number.
        """
        if not self.exists(table):
            return self._write(table, df, "append", None, cached=False, once=once)
        source, deleted, condition = table.conform(df), gone, None
        if verified is None:
            # Kept while they are verified: one job instead of two.
            source = source.localCheckpoint(eager=False)
            if gone is not None:
                keys = gone.select(*table.key).distinct()
                deleted = keys.join(source, on=table.key, how="left_anti")
                deleted = deleted.localCheckpoint(eager=False)
            parts = [(source, table), *([] if deleted is None else [(deleted, None)])]
            rows = sum(verify_contracts(parts))
        else:
            rows = verified
        if deleted is not None:
            marked = source.withColumn("_gone", F.lit(False))
            empty = deleted.select(*table.key).withColumn("_gone", F.lit(True))
            source, condition = marked.unionByName(empty, allowMissingColumns=True), "s._gone"
        if rows:
            # Sent to every core, a small source spares a shuffle of the whole table.
            small = rows <= BROADCAST_ROWS
            self._merge(table, F.broadcast(source) if small else source, condition, once)
        return rows

    def renew(self, table: Table, df: DataFrame) -> int:
        """Bring the table to the rows of `df`, as an overwrite does; return the number of rows written and deleted.

        Where little differs only that is written, so that the change feed tells what has changed. A row whose key is
        known keeps the values that its contract says are kept.
        """
        conformed = table.conform(df).localCheckpoint(eager=False)
        if not self.exists(table):
            return self.overwrite(table, conformed, cached=True)
        stored = self._read_alike(table)
        if stored is not None:
            rows, gone, share = compare_rows(conformed, stored, table)
            if share <= _RENEWED_SHARE:
                # A key that is there twice is told of all rows, not only of those that differ.
                verify_contract(conformed, table)
                return self.merge(table, rows, gone=gone)
        renewed = keep_first_values(conformed, self.read(table), table)
        return self.overwrite(table, renewed, cached=not table.kept)

    def remake(self, table: Table, df: DataFrame) -> int:
        """Replace rows, columns, clustering and properties by those of the contract, in one commit; return the rows."""
        conformed = table.conform(df).localCheckpoint(eager=False)
        rows = verify_contract(conformed, table)
        self.storage.create(table, conformed, properties_of(table))
        return rows

    def _read_alike(self, table: Table) -> DataFrame | None:
        """The table as it is stored; None if its columns are not those of the contract."""
        stored = self.storage.read(table.name)
        return stored if stored.schema.simpleString() == table.schema.simpleString() else None

    def changes(
        self, table: Table, *, since: int | None, until: int | None = None
    ) -> DataFrame | None:
        """Rows that were inserted, deleted or updated after version `since`, with Delta's ``_change_type``.

        `until` is the last version that is looked at, the newest if None. Of an update both the row before and the row
        after. None where the feed does not reach back so far: the table had other columns then, or the files of the
        feed were vacuumed. In: a table with `change_feed`; `since` is None where it was not there then.
        """
        newest = self.version(table) if until is None else until
        if newest == since:
            nothing = self.spark.createDataFrame([], table.schema)
            return nothing.withColumn("_change_type", F.lit(None).cast("string"))
        if newest is None or since is None or newest < since:
            return None
        try:
            feed = self.storage.read_changes(table.name, since=since + 1, until=newest)
            # Read now, as only reading shows whether all files are still there.
            return feed.select(*table.names, "_change_type").localCheckpoint()
        except (PySparkException, Py4JJavaError):
            return None

    def _merge(
        self, table: Table, source: DataFrame, gone: str | None, once: Transaction | None
    ) -> None:
        session = None if once is None else once.open_session(self.spark)
        on = " AND ".join(f"t.`{name}` <=> s.`{name}`" for name in table.key)
        merge = self.storage.delta(table.name, session).alias("t").merge(source.alias("s"), on)
        merge = merge.withSchemaEvolution()
        if gone is None:
            write_again(merge.whenMatchedUpdateAll().whenNotMatchedInsertAll().execute)
            return
        values: dict[str, str | SparkColumn] = {name: f"s.`{name}`" for name in table.names}
        merge = merge.whenMatchedDelete(gone).whenMatchedUpdate(set=values)
        write_again(merge.whenNotMatchedInsert(f"NOT {gone}", values=values).execute)

    def _write(
        self,
        table: Table,
        df: DataFrame,
        mode: Literal["append", "overwrite"],
        where: str | None,
        cached: bool,
        once: Transaction | None = None,
        verified: int | None = None,
    ) -> int:
        conformed = table.conform(df)
        if verified is None:
            if not cached:
                # Kept while they are verified: one job instead of two.
                conformed = conformed.localCheckpoint(eager=False)
            rows = verify_contract(conformed, table, where=where)
        else:
            rows = verified
        if not self.exists(table):
            # A statement cannot mark a transaction: what is to be written once is written into an empty table.
            first = conformed if once is None else conformed.limit(0)
            self.storage.create(table, first, properties_of(table))
            if once is None:
                return rows
        writer = conformed.write.mode(mode)
        if mode == "overwrite" and where is None:
            writer = writer.option("overwriteSchema", "true")
        else:
            # A column that the contract has gained since.
            writer = writer.option("mergeSchema", "true")
        if where is not None:
            writer = writer.option("replaceWhere", where)
        if once is not None:
            writer = once.mark(writer)
        self.storage.save(writer, table.name)
        return rows

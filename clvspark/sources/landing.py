"""Read landing files as they are: every cell a text, every row with its file and its raw form."""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import reduce
from importlib import metadata
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from clvspark.lakehouse.errors import ConfigError, MissingInputError
from clvspark.lakehouse.files import (
    FoundFile,
    list_files,
    literal,
    qualify,
    read_first_line,
    read_parquet_columns,
)
from clvspark.sources.config import CORRUPT, LandingFile

# What a reader of texts puts where bytes are none of its encoding.
REPLACEMENT_CHARACTER = "\ufffd"
_OTHER_ENCODING = (
    "its first line is not written in {}. Next step: name its 'encoding' beside its 'path', e.g. windows-1252 (tills "
    "and spreadsheets of Western Europe) or UTF-16 (what spreadsheets call Unicode text)"
)


def resolve_landing(landing: str) -> str:
    """Absolute landing folder; ``package:NAME/FOLDER`` is looked up in the installed distribution NAME."""
    if not landing.startswith("package:"):
        return landing if "://" in landing else str(Path(landing).absolute())
    name, _, folder = landing.removeprefix("package:").partition("/")
    try:
        return str(metadata.distribution(name).locate_file(folder))
    except metadata.PackageNotFoundError:
        raise MissingInputError(
            f"The package {name!r} is not installed. Next step: pip install {name}"
        ) from None


def find_files(spark: SparkSession, landing: str, spec: LandingFile) -> list[FoundFile]:
    """Files below `landing` that match the glob of `spec`, none if there are none; hidden ones, which Spark skips, too.

    MissingInputError where a folder is found; it is a file only where the format is one of folders (Parquet, Delta).
    """
    pattern = spec.path
    found = list_files(spark, f"{literal(landing)}/{pattern}")
    folders = [file.path for file in found if file.is_folder and spec.format in ("csv", "jsonl")]
    if folders:
        raise MissingInputError(
            f"{folders[0]} is a folder, not a {spec.format} file. Let the 'path' of the system name the files in it: "
            f"{pattern}/*"
        )
    return found


def read_landing(
    spark: SparkSession, landing: str, files: list[FoundFile], spec: LandingFile
) -> DataFrame:
    """Read files of one kind.

    Out: one row a landing row: every column that `spec` reads, as text or in its Parquet type, under its
    own name (nested fields under their dotted path), and ``_file`` (its path below `landing`), ``_raw``,
    ``_malformed``, ``_unknown`` (columns of the file that `spec` does not name; NULL where there are none).
    """
    readers = {
        "csv": _read_csv,
        "jsonl": _read_jsonl,
        "parquet": _read_columnar,
        "delta": _read_columnar,
    }
    read = readers[spec.format](spark, files, spec)
    return read.withColumn("_file", _path_below(qualify(spark, landing), F.col("_file")))


def _path_below(folder: str, file: Column) -> Column:
    """The path of a file below a folder; only its name where it lies elsewhere, as some of a Delta table's may."""
    # Spark writes a path as a URI; there a plus is a plus, in forms, which `url_decode` reads, it is a space.
    decoded = F.url_decode(F.replace(file, F.lit("+"), F.lit("%2B")))
    path = F.when(F.contains(file, F.lit("%")), decoded).otherwise(file)
    start = f"{folder.rstrip('/')}/"
    below = F.substr(path, F.lit(len(start) + 1))
    name = F.substring_index(path, "/", -1)
    return F.when(F.startswith(path, F.lit(start)), below).otherwise(name)


def _read_csv(spark: SparkSession, files: list[FoundFile], spec: LandingFile) -> DataFrame:
    by_header: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for file in files:
        by_header[_header(spark, file.path, spec)].append(file.path)
    parts = []
    for header, paths in by_header.items():
        schema = StructType([StructField(name, StringType()) for name in (*header, CORRUPT)])
        reader = spark.read.schema(schema).option("header", True).option("columnPruning", False)
        reader = (
            reader.option("sep", spec.delimiter)
            .option("escape", '"')
            .option("encoding", spec.encoding)
            # A line ends in one byte; where a sign takes two, only a reader of the whole file finds it.
            .option("multiLine", spec.multiline or spec.encoding == "UTF-16")
        )
        reader = reader.option("columnNameOfCorruptRecord", CORRUPT)
        df = reader.csv([literal(path) for path in paths])
        cells = F.to_json(F.struct(*(F.col(f"`{name}`") for name in header)))
        raw = F.coalesce(F.col(CORRUPT), cells)
        unknown = _names(sorted(set(header) - set(spec.columns) - set(spec.ignore)))
        parts.append(
            _select(df, spec, raw=raw, malformed=F.col(CORRUPT).isNotNull(), unknown=unknown)
        )
    return reduce(DataFrame.unionByName, parts)


def _read_jsonl(spark: SparkSession, files: list[FoundFile], spec: LandingFile) -> DataFrame:
    row = StructField("_row", _nested_schema(list(spec.columns)))
    schema = StructType(
        [row, StructField("_end", StringType()), StructField(CORRUPT, StringType())]
    )
    lines = spark.read.text([literal(file.path) for file in files]).where("trim(value) <> ''")
    # A parser stops behind the first object of a line; inside another one it has to read what follows as well.
    framed = F.concat(F.lit('{"_row":'), "value", F.lit(',"_end":"1"}'))
    options = {"mode": "PERMISSIVE", "columnNameOfCorruptRecord": CORRUPT}
    keys = F.coalesce(F.json_object_keys("value"), F.array())
    parsed = lines.select(
        F.from_json(framed, schema, options).alias("_framed"),
        keys.alias("_keys"),
        "value",
        "_metadata",
    )
    df = parsed.select("_framed.*", "_keys", "value", "_metadata")
    df = df.select("_row.*", "_row", "_end", CORRUPT, "_keys", "value", "_metadata")
    top = sorted({column.split(".")[0] for column in (*spec.columns, *spec.ignore)})
    found = [F.array_contains("_keys", F.lit(name)).cast("int") for name in top]
    # Sets are dear to make, and nearly every row has known keys, each once.
    is_usual = F.size("_keys") == reduce(Column.__add__, found, F.lit(0))
    is_repeated = F.size("_keys") > F.size(F.array_distinct("_keys"))
    malformed = (
        F.col(CORRUPT).isNotNull()
        | F.col("_row").isNull()
        | F.col("_end").isNull()
        | (~is_usual & is_repeated)
    )
    extra = F.array_except("_keys", F.array(*map(F.lit, top)))
    unknown = F.when(~is_usual & (F.size(extra) > 0), F.array_join(F.array_sort(extra), ", "))
    return _select(df, spec, raw=F.col("value"), malformed=malformed, unknown=unknown)


def _read_columnar(spark: SparkSession, files: list[FoundFile], spec: LandingFile) -> DataFrame:
    # Spark takes the columns of one file for those of all.
    by_columns: dict[tuple[str, ...], list[FoundFile]] = defaultdict(list)
    for file in files:
        by_columns[_columns(spark, file, spec)].append(file)
    needed = [column.split(".")[0] for column in spec.columns]
    named = {*needed, *(column.split(".")[0] for column in spec.ignore)}
    parts: list[DataFrame] = []
    for present, alike in by_columns.items():
        _require(needed, present, alike[0].path)
        df = spark.read.format(spec.format).load([literal(file.path) for file in alike])
        unknown = _names(sorted(set(present) - named))
        raw = F.to_json(F.struct(*(F.col(f"`{name}`") for name in present)))
        part = _select(df, spec, raw=raw, malformed=F.lit(False), unknown=unknown)
        _refuse_other_types(part, parts, alike[0].path)
        parts.append(part)
    return reduce(DataFrame.unionByName, parts)


def _columns(spark: SparkSession, file: FoundFile, spec: LandingFile) -> tuple[str, ...]:
    if spec.format == "parquet" and not file.is_folder:
        return read_parquet_columns(spark, file.path)
    return tuple(spark.read.format(spec.format).load(literal(file.path)).columns)


def _refuse_other_types(part: DataFrame, others: list[DataFrame], path: str) -> None:
    """ConfigError where a column has another type than in the files read before, which a union would convert."""
    if not others:
        return
    known = dict(others[0].dtypes)
    faults = [
        f"column {name!r} is {kind} here and {known[name]} in other files of the same 'path'. Replace the file by one "
        "with the type of the others, or describe it under a 'path' of its own in 'sources.systems'"
        for name, kind in part.dtypes
        if known[name] != kind
    ]
    if faults:
        raise ConfigError(path, faults)


def _select(
    df: DataFrame, spec: LandingFile, *, raw: Column, malformed: Column, unknown: Column
) -> DataFrame:
    flat = spec.format == "csv"
    columns = [F.col(f"`{name}`" if flat else name).alias(name) for name in spec.columns]
    extras = [raw.alias("_raw"), malformed.alias("_malformed"), unknown.alias("_unknown")]
    return df.select(*columns, F.col("_metadata.file_path").alias("_file"), *extras)


def _names(names: list[str]) -> Column:
    return F.lit(", ".join(names) or None).cast("string")


def _require(wanted: list[str], present: Sequence[str], path: str) -> None:
    missing = sorted(set(wanted) - set(present))
    if missing:
        faults = [
            f"column {name!r} is missing; the file has {', '.join(present)}" for name in missing
        ]
        raise ConfigError(path, faults)


def _nested_schema(paths: list[str]) -> StructType:
    """Schema of texts for dotted paths: ``name.first`` becomes a struct `name` with a text `first`."""
    children: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        head, _, rest = path.partition(".")
        children[head] += [rest] if rest else []
    return StructType(
        [
            StructField(name, _nested_schema(rest) if rest else StringType())
            for name, rest in children.items()
        ]
    )


def _header(spark: SparkSession, path: str, spec: LandingFile) -> tuple[str, ...]:
    """Column names of a CSV file.

    Without a header the first line is a row, whose values no message may quote: where no column that the mapping reads
    is among the cells, only their number is told.
    """
    line = read_first_line(spark, path, spec.encoding)
    if not line:
        raise MissingInputError(f"{path} is empty: a CSV file needs a header line.")
    names = next(csv.reader(io.StringIO(line.removeprefix("\ufeff")), delimiter=spec.delimiter))
    is_known = bool(set(names) & {*spec.columns, *spec.ignore})
    is_whole = set(names) >= set(spec.columns)
    if REPLACEMENT_CHARACTER in line and not (is_known and is_whole):
        raise ConfigError(path, [_OTHER_ENCODING.format(spec.encoding)])
    if not is_known:
        fault = (
            f"none of the {len(names)} cells of its first line is a column that the mapping reads "
            f"({', '.join(spec.columns)}): a CSV file needs a header line; or 'delimiter' ({spec.delimiter!r}) is not "
            "that of the file"
        )
        raise ConfigError(path, [fault])
    _require(spec.columns, names, path)
    # Upper and lower case are one name to Spark.
    counted = Counter(name.lower() for name in names)
    faults = [
        f"{times} columns are named {name!r} (upper and lower case are one name); a column needs a name of its own: "
        "rename it in the file"
        for name, times in counted.items()
        if times > 1
    ]
    if faults:
        raise ConfigError(path, faults)
    return tuple(names)

"""Files on any file system that Spark reaches, listed and peeked at through Hadoop on the driver."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F


@dataclass(frozen=True)
class FoundFile:
    """A file with what identifies its content."""

    path: str
    size: int
    modified_ms: int
    is_folder: bool = False

    @property
    def name(self) -> str:
        """Its name without the folders."""
        return self.path.rpartition("/")[2]

    @property
    def is_hidden(self) -> bool:
        """Whether Spark, like Hadoop, never reads it."""
        return self.name.startswith(("_", "."))


def literal(path: str) -> str:
    """A path that a reader takes as it is, although it holds characters of a glob."""
    return re.sub(r"([\\\[\]{}*?])", r"\\\1", path)


def list_files(spark: SparkSession, pattern: str) -> list[FoundFile]:
    """Files that match a glob, by name."""
    path, system = _open_path(spark, pattern)
    found = system.globStatus(path) or []
    files = [
        FoundFile(s.getPath().toString(), s.getLen(), s.getModificationTime(), s.isDirectory())
        for s in found
    ]
    return sorted(files, key=lambda file: file.path)


def read_parquet_columns(spark: SparkSession, name: str) -> tuple[str, ...]:
    """Names of the columns of one Parquet file, from its footer."""
    path, system = _open_path(spark, name)
    parquet = _jvm(spark).org.apache.parquet.hadoop
    source = parquet.util.HadoopInputFile.fromPath(path, system.getConf())
    reader = parquet.ParquetFileReader.open(source)
    try:
        fields = reader.getFooter().getFileMetaData().getSchema().getFields()
        return tuple(field.getName() for field in fields)
    finally:
        reader.close()


def qualify(spark: SparkSession, name: str) -> str:
    """A path as listings spell it: absolute, with its scheme."""
    path, system = _open_path(spark, name)
    return str(system.makeQualified(path).toString())


def is_folder(spark: SparkSession, name: str) -> bool:
    """Whether there is a folder of that name."""
    path, system = _open_path(spark, name)
    return bool(system.exists(path) and system.getFileStatus(path).isDirectory())


def size_of_folder(spark: SparkSession, name: str) -> int:
    """Bytes of all files below a folder."""
    path, system = _open_path(spark, name)
    return int(system.getContentSummary(path).getLength())


def digest_files(spark: SparkSession, files: list[FoundFile]) -> str:
    """One digest of names, sizes and modification times.

    A folder says nothing of what is below it: of a Delta table the newest commit counts, of any other folder every
    file that Spark would read.
    """
    commits = {file: _newest_commit(spark, file.path) for file in files if file.is_folder}
    parts = [repr(commits[file] or file.path if file.is_folder else file) for file in files]
    folders = [file.path for file, commit in commits.items() if commit is None]
    if folders:
        # Listed by Spark, in the JVM and on the cores: folders may hold very many files.
        below = (
            spark.read.format("binaryFile")
            .option("recursiveFileLookup", "true")
            .load([literal(folder) for folder in folders])
        )
        fact = F.xxhash64("path", "modificationTime", "length")
        parts.append(repr(below.agg(F.count("path"), F.sum("length"), F.bit_xor(fact)).collect()))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _newest_commit(spark: SparkSession, folder: str) -> FoundFile | None:
    """Newest commit of the Delta table in a folder, None where there is no table."""
    commits = list_files(spark, f"{literal(folder)}/_delta_log/*.json")
    return commits[-1] if commits else None


def read_first_line(spark: SparkSession, file: str, encoding: str = "UTF-8") -> str | None:
    """First line of a text file, compressed or not; None if it is empty."""
    path, system = _open_path(spark, file)
    jvm = _jvm(spark)
    codecs = jvm.org.apache.hadoop.io.compress.CompressionCodecFactory(system.getConf())
    codec = codecs.getCodec(path)
    stream = system.open(path)
    try:
        stream = codec.createInputStream(stream) if codec is not None else stream
        io = jvm.java.io
        line = io.BufferedReader(io.InputStreamReader(stream, encoding)).readLine()
    finally:
        stream.close()
    return str(line) if line is not None else None


def write_line(spark: SparkSession, name: str, line: str) -> None:
    """Write one line as a file of that name, replacing one; who reads it meanwhile finds it whole or not at all."""
    path, system = _open_path(spark, name)
    draft = _jvm(spark).org.apache.hadoop.fs.Path(f"{path.getParent()}/_{path.getName()}")
    stream = system.create(draft, True)
    try:
        stream.write(f"{line}\n".encode())
    finally:
        stream.close()
    system.delete(path, False)
    system.rename(draft, path)


def _open_path(spark: SparkSession, name: str) -> tuple[Any, Any]:
    """Hadoop's path and its file system."""
    path = _jvm(spark).org.apache.hadoop.fs.Path(name)
    context: Any = spark.sparkContext
    return path, path.getFileSystem(context._jsc.hadoopConfiguration())  # noqa: SLF001 - Hadoop has no Python door


def _jvm(spark: SparkSession) -> Any:
    return spark.sparkContext._jvm  # noqa: SLF001 - see above


def write_text(spark: SparkSession, lines: DataFrame, name: str) -> bool:
    """Write lines, in their order, as one file of that name, replacing one; false, and no file, without any.

    In: one column of texts. It is written beside its place first: who lists the folder finds it whole, or not at all.
    """
    path, system = _open_path(spark, name)
    draft = f"{path.getParent()}/_{path.getName()}"
    lines.coalesce(1).write.mode("overwrite").text(draft)
    folder = _jvm(spark).org.apache.hadoop.fs.Path(draft)
    try:
        parts = [s for s in system.listStatus(folder) if s.getPath().getName().startswith("part-")]
        filled = [part for part in parts if part.getLen()]
        if not filled:
            return False
        system.delete(path, False)
        return bool(system.rename(filled[0].getPath(), path))
    finally:
        system.delete(folder, True)

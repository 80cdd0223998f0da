"""Faults 14, 25, 29: files cut short or of another kind, a full disk. One message, no half-written table."""

from __future__ import annotations

import hashlib
import shutil
import subprocess

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from support.commands import run_commands
from support.landing import newest_versions
from support.shops import Shop, command_line, environment, open_till_shop

from clvspark.lakehouse.table_log import read_table_log

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
MANY = 5_000
SALES = {
    "receipt": ["r1", "r2"],
    "card": ["c1", "c2"],
    "sold_at": ["2026-01-05 10:00:00", "2026-02-05 10:00:00"],
    "amount": ["12.34", "20.00"],
}


@pytest.fixture(scope="module")
def ingested(tmp_path_factory):
    """A shop whose landing file has been taken."""
    shop = open_till_shop(tmp_path_factory.mktemp("ingested") / "shop")
    (done,) = run_commands(
        [["ingest", "--config", shop.config_file]], cwd=shop.folder, env=environment()
    )
    assert done.code == 0, done.err
    return shop


def copy(shop: Shop, folder) -> Shop:
    """A copy with its lakehouse, and one more sale to take."""
    shutil.copytree(shop.folder, folder)
    text = shop.config_file.read_text().replace(str(shop.folder), str(folder))
    Shop(folder).config_file.write_text(text)
    with (folder / "landing/sales.csv").open("a") as file:
        file.write("r9,c9,2026-03-06 10:00:00,5.00\n")
    return Shop(folder)


def cut(path) -> None:
    """Leave the first half of a file, without Hadoop's checksum, which would be gone after any copy."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    path.with_name(f".{path.name}.crc").unlink(missing_ok=True)


def parquet_shop(folder, path="sales.parquet") -> Shop:
    """A shop whose till drops Parquet."""
    shop = open_till_shop(folder)
    config = yaml.safe_load(shop.config_file.read_text())
    (file,) = config["sources"]["systems"][0]["files"]
    file |= {"path": path, "format": "parquet"}
    shop.config_file.write_text(yaml.safe_dump(config))
    pq.write_table(pa.table(SALES), shop.landing / "sales.parquet")
    return shop


@pytest.fixture(scope="module")
def shops(ingested, tmp_path_factory):
    """A shop for each fault."""
    folder = tmp_path_factory.mktemp("damaged")
    found = {
        "landing cut short": parquet_shop(folder / "cut"),
        "landing of another format": parquet_shop(folder / "format"),
        "landing is a folder": open_till_shop(folder / "folder"),
        "landing empty": open_till_shop(folder / "empty"),
        "landing of two types": parquet_shop(folder / "types", path="sales*.parquet"),
        "header repeats a name": open_till_shop(
            folder / "header", header="receipt,card,sold_at,amount,Amount"
        ),
        "log cut short": copy(ingested, folder / "log"),
        "log without content": copy(ingested, folder / "blank"),
        "data cut short": copy(ingested, folder / "data"),
    }
    numbers = {**SALES, "receipt": ["r3", "r4"], "amount": [12.34, 20.0]}
    pq.write_table(pa.table(numbers), found["landing of two types"].landing / "sales_2.parquet")
    cut(found["landing cut short"].landing / "sales.parquet")
    (found["landing of another format"].landing / "sales.parquet").write_text(
        "receipt,card\nr1,c1\n"
    )
    for name, fault in (("landing is a folder", "mkdir"), ("landing empty", "touch")):
        path = found[name].landing / "sales.csv"
        path.unlink()
        getattr(path, fault)()
    log = max((found["log cut short"].lakehouse / "sources/event/_delta_log").glob("*.json")).name
    cut(found["log cut short"].lakehouse / "sources/event/_delta_log" / log)
    (found["log without content"].lakehouse / "sources/event/_delta_log" / log).write_text("")
    for path in (found["data cut short"].lakehouse / "sources/customer_record").glob("*.parquet"):
        cut(path)
    return found


@pytest.fixture(scope="module")
def outcomes(shops):
    """What the stage says that meets the fault, each in the same process, and the versions before."""
    before = {name: newest_versions(shop.lakehouse) for name, shop in shops.items()}
    stage = {"data cut short": "resolve"}
    commands = [[stage.get(name, "ingest"), "--config", s.config_file] for name, s in shops.items()]
    seen = run_commands(commands, cwd=shops["landing empty"].folder, env=environment())
    return {name: (outcome, before[name]) for name, outcome in zip(shops, seen, strict=True)}


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        (
            "landing cut short",
            11,
            ["sales.parquet cannot be read: it is cut short", "Replace the file"],
        ),
        ("landing of another format", 11, ["sales.parquet cannot be read", "not of the format"]),
        ("landing is a folder", 3, ["sales.csv", "is a folder"]),
        ("landing empty", 3, ["sales.csv is empty: a CSV file needs a header line"]),
        (
            "landing of two types",
            2,
            [
                "sales_2.parquet: 1 fault",
                "column 'amount' is DOUBLE here and string",
                "a 'path' of its own",
            ],
        ),
        (
            "header repeats a name",
            2,
            ["sales.csv: 1 fault", "2 columns are named 'amount'", "rename it in the file"],
        ),
        (
            "log cut short",
            11,
            ["sources/event/_delta_log/", "is cut short or altered", "Nothing was written"],
        ),
        ("log without content", 11, ["sources/event/_delta_log/", "is cut short or altered"]),
        ("data cut short", 11, ["customer_record/part-", "cannot be read", "Replace the file"]),
    ],
)
def test_a_damaged_file_gives_one_message_that_names_it(outcomes, fault, code, words):
    seen, _ = outcomes[fault]

    assert seen.code == code, seen.err
    assert "Traceback" not in seen.err
    assert [word for word in words if word not in seen.message] == []


def test_no_table_is_written(outcomes, shops):
    for fault, (_, before) in outcomes.items():
        assert newest_versions(shops[fault].lakehouse) == before, fault


@pytest.fixture
def full(ingested, tmp_path):
    """A shop with many more sales, after a run that could write no file larger than 64 kB."""
    shop = copy(ingested, tmp_path / "full")
    with (shop.landing / "sales.csv").open("a") as file:
        for number in range(MANY):
            receipt = hashlib.sha256(str(number).encode()).hexdigest()
            file.write(f"{receipt},c1,2026-03-07 10:00:00,1.00\n")
    limited = f"ulimit -f 64; exec {' '.join(command_line('ingest', '--config', shop.config_file))}"
    done = subprocess.run(
        ["bash", "-c", limited],
        cwd=shop.folder, env=environment(), capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    return shop, done


def test_a_full_disk_ends_in_one_message_and_leaves_every_table_readable(full):
    shop, done = full

    assert done.returncode == 12, done.stderr
    assert "exceed the limit of its size (ulimit -f)" in done.stderr
    assert "Traceback" not in done.stderr
    again = run_commands(
        [["status", "--config", shop.config_file], ["ingest", "--config", shop.config_file]],
        cwd=shop.folder,
        env=environment(),
    )
    assert [seen.code for seen in again] == [0, 0], again
    assert read_table_log(shop.lakehouse / "sources/event").rows == 4 + MANY

"""Wrong configuration: every fault in one message, before Spark starts (promise 9)."""

from __future__ import annotations

import pytest
import yaml
from support.shops import Shop, clvspark, write_config


@pytest.fixture
def shop(tmp_path):
    shop = Shop(tmp_path)
    write_config(shop)
    return shop


def break_config(shop, **sections):
    config = yaml.safe_load(shop.config_file.read_text())
    for name, section in sections.items():
        config[name] = {**config.get(name, {}), **section}
    shop.config_file.write_text(yaml.safe_dump(config))


def refusal(shop, *arguments):
    """The one message of a command that must fail before it has written anything."""
    before = sorted(shop.folder.rglob("*"))
    done = clvspark(*arguments, cwd=shop.folder)
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert sorted(shop.folder.rglob("*")) == before
    return done.returncode, " ".join(done.stderr.split())


def test_all_faults_of_a_file_come_in_one_message(shop):
    break_config(
        shop,
        lakehouse={"currency": "dollars"},
        clv={"horizon": 90, "champion_by": "luck"},
        spark={"shuffle_partitions": 0},
    )

    code, message = refusal(shop, "run", "--config", shop.config_file)

    assert code == 2
    assert "4 faults" in message
    assert "lakehouse.currency: string should match pattern" in message
    assert "clv.horizon: unknown key. Did you mean 'horizon_days'? Allowed:" in message
    assert "clv.champion_by: input should be" in message
    assert "spark.shuffle_partitions: input should be greater than or equal to 1" in message


@pytest.mark.parametrize("root", ["../elsewhere", "a/../../b", "file:///etc/lakehouse"])
def test_a_lakehouse_may_not_escape_its_folder(shop, root):
    break_config(shop, lakehouse={"root": root})

    code, message = refusal(shop, "status", "--config", shop.config_file)

    assert code == 2
    assert "lakehouse.root: must be a plain folder without '..' or 'file:'" in message


def test_a_file_that_does_not_exist(shop):
    code, message = refusal(shop, "ingest", "--config", shop.folder / "none.yaml")

    assert code == 2
    assert "none.yaml: 1 fault - the file does not exist; pass --config FILE" in message


def test_a_file_that_is_not_yaml(shop):
    shop.config_file.write_text("lakehouse: [root")

    code, message = refusal(shop, "ingest", "--config", shop.config_file)

    assert code == 2
    assert "line 1, column 17: not valid YAML" in message


def test_an_audience_that_no_definition_names(shop):
    destination = {
        "id": "mail", "format": "csv", "channel": "email", "identifier": "email",
        "hashed": False, "audiences": ["everybody"],
    }  # fmt: skip
    break_config(shop, activation={"destinations": [destination]})

    code, message = refusal(shop, "activate", "--config", shop.config_file)

    assert code == 2
    assert "activation.destinations.mail names audiences that are not defined: everybody" in message


def test_an_unknown_command(shop):
    code, message = refusal(shop, "resurrect")

    assert code == 2
    assert "No such command 'resurrect'" in message

"""The configuration: every key is checked, and what is wrong is named."""

from pathlib import Path

import pytest

from edge_infer.errors import DataRefused, UnreadableInput
from edge_infer.node.config import read_config

RECEIVE = '[receive]\nae_title = "BRAIN"\nspool = "spool"\n'
DESTINATION = '[destination]\nfolder = "out"\n'
EXAMPLE = Path(__file__).parents[3] / "examples" / "hospital" / "node.toml"


def read(tmp_path: Path, text: str) -> object:
    file = tmp_path / "node.toml"
    file.write_text(text)
    return read_config(file)


def test_a_short_file_is_enough_and_listens_on_the_loopback_device(tmp_path: Path) -> None:
    file = tmp_path / "node.toml"
    file.write_text(RECEIVE + DESTINATION)
    config = read_config(file)
    assert (config.receive.host, config.receive.port) == ("127.0.0.1", 11112)
    assert config.receive.spool == tmp_path / "spool"
    assert config.destination.folder == tmp_path / "out"
    assert config.tls is None


def test_the_example_can_be_read_and_shows_every_key() -> None:
    config = read_config(EXAMPLE)
    text = EXAMPLE.read_text()
    for name in ("receive", "complete", "limits", "keep", "destination", "model"):
        for key in getattr(config, name).__dataclass_fields__:
            assert f"\n{key} = " in text or f"\n# {key} = " in text, f"{name}.{key}"
    for key in ("certificate", "key", "ca", "receive", "send"):
        assert f"\n# {key} = " in text, key


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (DESTINATION, "[receive] is missing"),
        (RECEIVE, "[destination] is missing"),
        (RECEIVE + DESTINATION + "[other]\n", "unknown table [other]"),
        (RECEIVE + "prot = 1\n" + DESTINATION, "unknown key prot"),
        ('[receive]\nae_title = "BRAIN"\n' + DESTINATION, "spool is missing"),
        ("receive = 1\n" + DESTINATION, "[receive] is not a table"),
        (RECEIVE + "port = 70000\n" + DESTINATION, "port is 70000, expected a whole number from 0"),
        (RECEIVE + "port = true\n" + DESTINATION, "port is True"),
        (RECEIVE + "port = 1.5\n" + DESTINATION, "port is 1.5"),
        (RECEIVE + 'host = "a b"\n' + DESTINATION, "host is 'a b'"),
        (RECEIVE + 'callers = "A"\n' + DESTINATION, "expected a list"),
        (RECEIVE + 'callers = ["A\\\\B"]\n' + DESTINATION, "each of the list must be"),
        (RECEIVE.replace("BRAIN", "SEVENTEEN LETTERS") + DESTINATION, "ae_title is"),
        (RECEIVE.replace("BRAIN", " ") + DESTINATION, "ae_title is"),
        (RECEIVE + 'host = "0.0.0.0"\n' + DESTINATION, "callers must list who may call"),
        (RECEIVE + 'host = "pacs.example"\n' + DESTINATION, "callers must list who may call"),
        (RECEIVE + DESTINATION + "[complete]\nquiet_s = nan\n", "quiet_s is nan"),
        (RECEIVE + DESTINATION + "[complete]\nquiet_s = inf\n", "quiet_s is inf"),
        (RECEIVE + DESTINATION + '[model]\nscope = "on"\n', "expected 'enforce' or"),
        (
            RECEIVE + DESTINATION + '[model]\ndespite = ["mosaic"]\n',
            "a refusal that can be overruled",
        ),
        (RECEIVE + DESTINATION + '[tls]\ncertificate = "c"\n', "key is missing"),
        (
            RECEIVE + '[destination]\nae_title = "PACS"\n',
            "give ae_title, host and port, or a folder",
        ),
        (RECEIVE + DESTINATION + "port = 104\n", "folder excludes"),
        (RECEIVE + '[destination]\nfolder = "spool/out"\n', "lies in the spool"),
        (RECEIVE + '[destination]\nfolder = ""\n', "expected a path"),
        ("[receive\n", "is no TOML file"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DataRefused) as raised:
        read(tmp_path, text)
    assert said in raised.value.message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput, match=r"nowhere\.toml"):
        read_config(tmp_path / "nowhere.toml")

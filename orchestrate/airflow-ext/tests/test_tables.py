"""What an extractor says of its tables, by a `meltano` that writes down how it was called."""

import json
from pathlib import Path

import pytest

from airflow_ext.errors import AirflowExtError
from airflow_ext.tables import chain_tables, tables_of

VARIABLE = "TAP_X_CHAINS"


def ask(root: Path, *chains: str, do: str) -> dict[str, tuple[str, ...]]:
    (root / "do.py").write_text(do)
    return chain_tables("tap-x", VARIABLE, chains, root)


def test_meltano_asks_the_extractor_for_its_catalog(root: Path) -> None:
    catalog = json.dumps({"streams": [{"stream": "bitcoin_blocks"}, {"stream": "bitcoin_sv_blocks"}]})
    found = ask(root, "bitcoin", "bitcoin-sv", do=f"print({catalog!r}); print('a warning', file=sys.stderr)")
    assert found == {"bitcoin": ("blocks",), "bitcoin-sv": ("blocks",)}
    call = json.loads((root / "call.json").read_text())
    assert call["argv"] == [
        *("--log-format=json", "--environment=local", "invoke", "--no-install", "tap-x", "--discover")
    ]
    assert call["env"][VARIABLE] == '["bitcoin", "bitcoin-sv"]'
    assert call["links"] == ["extractors"], "a system directory of its own"
    assert call["cwd"] == str(root)
    assert not {name for name in call["env"] if name.startswith("AIRFLOW")}
    assert list((root / "home" / "runs").iterdir()) == []


@pytest.mark.parametrize(
    ("do", "said"),
    [
        (
            "print('2026 | CRITICAL | tap-x | chains: nocoin is not among bitcoin.', file=sys.stderr); sys.exit(1)",
            "chains: nocoin is not among bitcoin.",
        ),
        ("print('what is this?', file=sys.stderr); sys.exit(3)", "what is this?"),
        ("sys.exit(3)", "it ended with status 3 and gave no catalog."),
        ("print('no catalog')", "it ended with status 0 and gave no catalog."),
        ("print('[]')", "gave no catalog."),
        ("print('{}')", "gave no catalog."),
    ],
)
def test_what_the_extractor_says_instead_is_passed_on(root: Path, do: str, said: str) -> None:
    with pytest.raises(AirflowExtError, match=r"^tap-x was asked for its tables: ") as error:
        ask(root, "nocoin", do=do)
    assert str(error.value).endswith(said)


def test_a_stream_belongs_to_the_longest_name_it_begins_with() -> None:
    streams = ("bitcoin_sv_blocks", "bitcoin_blocks", "ethereum_erc20_tokens", "prices")
    assert tables_of(streams, ("bitcoin", "bitcoin-sv", "ethereum")) == {
        "bitcoin": ("blocks",),
        "bitcoin-sv": ("blocks",),
        "ethereum": ("erc20_tokens",),
    }

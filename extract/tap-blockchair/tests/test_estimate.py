"""An estimate is right to the byte and the point, and takes nothing; progress is reported at steady intervals."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tap_blockchair.dumps import index_page
from tap_blockchair.estimate import bytes_text
from tap_blockchair.output import Progress
from tap_blockchair.tap import TapBlockchair


def estimate(tmp_path: Path, config: dict[str, Any], state: dict[str, Any] | None = None) -> str:
    (tmp_path / "config.json").write_text(json.dumps(config))
    arguments = ["--estimate", "--config", str(tmp_path / "config.json")]
    if state is not None:
        (tmp_path / "state.json").write_text(json.dumps(state))
        arguments += ["--state", str(tmp_path / "state.json")]
    result = CliRunner().invoke(TapBlockchair.get_singer_command(), arguments)
    assert result.exit_code == 0, result.output
    return str(result.stdout)


def test_bytes_by_head_with_the_state(run: Any, host: Any, asked: Any, blocks: Any, tmp_path: Path) -> None:
    paths = [host.put("bitcoin", "blocks", f"2024010{day}", blocks(*range(300))) for day in range(1, 6)]
    config = host.config()
    text = estimate(tmp_path, config)
    size = sum(path.stat().st_size for path in paths)
    assert re.search(rf"bitcoin_blocks +5 +{size / 1000:.1f} kB", text), text
    assert f"about {size / 10_000 / 3600:,.1f} hours at the 10 kB/s" in text
    assert asked.files == []
    state = run({**config, "end_date": "2024-01-03"}).state
    asked.clear()
    assert re.search(r"bitcoin_blocks +2 ", estimate(tmp_path, config, state))
    assert asked.files == []
    assert "10 kB/s" not in estimate(tmp_path, {**config, "dumps_key": "secretsecret"})


def test_of_many_files_the_index_has_the_size(host: Any, asked: Any, blocks: Any, tmp_path: Path) -> None:
    paths = [host.put("bitcoin", "blocks", f"202401{day:02}", blocks(*range(300))) for day in range(1, 31)]
    config = host.config()
    text = estimate(tmp_path, config)
    shown = sum(round(path.stat().st_size / 1024) * 1024 for path in paths)  # the page says 2K, say
    assert shown != sum(path.stat().st_size for path in paths)
    assert re.search(rf"bitcoin_blocks +30 +~{shown / 1000:.1f} kB", text), text
    assert not [sent for sent in asked if ".gz" in sent.path]


def test_of_many_files_of_unknown_size_some_are_asked(host: Any, blocks: Any, tmp_path: Path) -> None:
    paths = [host.put("bitcoin", "blocks", f"202401{day:02}", blocks(day)) for day in range(1, 26)]
    for number, path in enumerate(paths):  # in a folder, which shows none; every second one is asked
        path.write_bytes(b"x" * (1000 if number % 2 else 3000))
    config = host.config(dumps_url=host.folder.as_uri())
    text = estimate(tmp_path, config)
    assert re.search(r"bitcoin_blocks +25 +~75.0 kB", text), text
    assert "dumps: read from a folder, nothing is downloaded." in text
    for path in paths[20:]:
        path.unlink()
    assert re.search(r"bitcoin_blocks +20 +40.0 kB", estimate(tmp_path, config)), "so few are all asked"


def test_streams_are_added_up(chain: Any, host: Any, blocks: Any, tmp_path: Path) -> None:
    size = host.put("bitcoin", "blocks", "20240102", blocks(*range(90, 180))).stat().st_size
    size += host.put("bitcoin", "outputs", "20240102", b"x" * 5000).stat().st_size
    config = {"chains": ["bitcoin"], "api_url": chain.url, "dumps_url": host.url, "top_addresses": 250}
    text = estimate(tmp_path, {**config, "requests_per_minute": 2, "points_per_day": 50})
    # The statistics, three pages of addresses and one of blocks.
    assert re.search(rf"together +{size / 1000:.1f} kB +5 +18\n", text), text
    assert "API: at least 2 minutes at 2 requests a minute." in text
    assert "API: 0.4 days' points at 50 a day." in text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (61_900_000, "61.9 MB"),
        (7 * 10**9, "7.0 GB"),
        (3 * 10**12, "3.0 TB"),
    ],
)
def test_bytes_for_people(size: int, text: str) -> None:
    assert bytes_text(size) == text


def test_points_of_the_simulated_api(simulator: Any, tmp_path: Path) -> None:
    text = estimate(tmp_path, simulator.config(top_addresses=250, requests_per_minute=10_000))
    assert re.search(r"bitcoin_stats +0 +0 B +1 +1\n", text), text
    assert re.search(r"bitcoin_addresses +0 +0 B +3 +11\n", text), text
    assert re.search(r"bitcoin_blocks +0 +0 B +1 +6\n", text), text
    assert re.search(r"bitcoin_transactions +0 +0 B +1 +13\n", text), text
    assert re.search(r"bitcoin_outputs +0 +0 B +1 +23\n", text), text  # a second filter, since ids order its pages
    assert "days' points at 1,440 a day" in text


def test_a_tip_costs_both(run: Any, simulator: Any, tmp_path: Path) -> None:
    config = simulator.config(channel="auto", requests_per_minute=10_000)
    assert re.search(r"bitcoin_blocks +2 +[1-9][\d.]* kB +1 +6\n", estimate(tmp_path, config))
    assert re.search(r"bitcoin_blocks +0 +0 B +1 +6\n", estimate(tmp_path, {**config, "tip": "only"}))
    assert re.search(r"bitcoin_blocks +2 +[1-9][\d.]* kB +0 +0\n", estimate(tmp_path, {**config, "tip": "off"}))


def test_spent_points_are_no_fault(simulator: Any, tmp_path: Path) -> None:
    text = estimate(tmp_path, simulator.config(points_per_day=1))
    assert re.search(r"bitcoin_blocks +not estimated: points_per_day allows 1 points.*; ask again after", text), text


@pytest.mark.parametrize(
    ("page", "size"),
    [
        ('<a href="x.tsv.gz">x.tsv.gz</a>  01-Jan-2024 01:20   62M\n', 62 << 20),
        ('<tr><td><a href="x.tsv.gz">x.tsv.gz</a></td><td>2K</td></tr>', 2048),
        ('<a href="x.tsv.gz">x.tsv.gz</a> 01-Jan-2024 00:30 512', 512),
        ('<a href="x.tsv.gz">x.tsv.gz</a> 01-Jan-2024 01:20 -', None),
    ],
)
def test_index_pages_show_rounded_sizes(page: str, size: int | None) -> None:
    assert index_page(page)[1].get("x.tsv.gz") == size


def test_progress_is_logged_at_steady_intervals(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    caplog.set_level(logging.INFO)
    with Progress("s", 2, 4_000_000, logging.getLogger("p"), clock=lambda: now[0]) as progress:
        for _ in range(20):
            now[0] += 5
            progress.begin("2024-01-01")
            progress.downloaded(100_000)
            progress.rows(10)
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 3
    assert lines[0] == "s: day 2024-01-01, 0 of 2 days done, 0.5 MB at 16.7 kB/s, 50 rows, about 0.1 h left."
    assert lines[2] == "s: day 2024-01-01, 0 of 2 days done, 1.7 MB at 18.9 kB/s, 170 rows, about 0.0 h left."


def test_progress_goes_by_days_where_no_sizes_are_known(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    caplog.set_level(logging.INFO)
    with Progress("s", 4, 0, logging.getLogger("p"), clock=lambda: now[0]) as progress:
        for day in (1, 2):
            now[0] += 1800
            progress.begin(f"2024-01-0{day}")
            progress.finish()
        now[0] += 1800
        progress.rows(10)
    said = [record.getMessage() for record in caplog.records]
    assert said[0].startswith("s: day 2024-01-01, 0 of 4 days done, ")
    assert said[0].endswith(" 0 rows."), "nothing is done, so the time that is left is unknown"
    assert said[-1] == "s: day 2024-01-02, 2 of 4 days done, 0.0 MB at 0.0 kB/s, 10 rows, about 1.5 h left."

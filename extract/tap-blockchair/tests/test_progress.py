"""Progress of a real run: a bar on a terminal that ends clean, plain lines elsewhere."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import pytest

STREAM = "bitcoin_transactions"
# The command line, with a moment in place of half a minute.
QUICK = "import tap_blockchair.output as p; p.INTERVAL = 0.2; from tap_blockchair.__main__ import main; main()"


@pytest.fixture
def arguments(simulator: Any, tmp_path: Path) -> list[str]:
    """A run that reads one table of a dump host so slow that progress is reported."""
    config = {"chains": ["bitcoin"], "channel": "dumps", "dumps_url": simulator.dumps}
    (tmp_path / "config.json").write_text(json.dumps({**config, "download_dir": str(tmp_path / "downloads")}))
    given = ["--config", str(tmp_path / "config.json")]
    command = [sys.executable, "-m", "tap_blockchair", *given, "--discover"]
    catalog = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    for entry in catalog["streams"]:
        entry["metadata"] = [{"breadcrumb": [], "metadata": {"selected": entry["tap_stream_id"] == STREAM}}]
    (tmp_path / "catalog.json").write_text(json.dumps(catalog))
    simulator.fault("^/dumps/.*gz$", {"slow": 1000}, method="GET", times=None)
    return [*given, "--catalog", str(tmp_path / "catalog.json")]


def on_a_terminal(arguments: list[str], messages: Path, columns: int) -> str:
    """Run the tap with its messages in a file and a terminal for everything else; give what the terminal got."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24 if columns else 0, columns))
    with messages.open("wb") as file:
        command = [sys.executable, "-m", "tap_blockchair", *arguments]
        tap = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=theirs)
    os.close(theirs)
    said = b""
    while True:
        try:
            part = os.read(ours, 1 << 16)
        except OSError:  # how a terminal ends
            break
        if not part:
            break
        said += part
    os.close(ours)
    assert tap.wait() == 0, said
    return said.decode()


def screen(said: str) -> list[str]:
    """What a terminal shows in the end: a carriage return writes over the line."""
    lines = []
    for line in said.replace("\r\n", "\n").split("\n"):
        shown = ""
        for part in line.split("\r"):
            shown = part + shown[len(part) :]
        lines.append(shown.rstrip())
    return lines


def records(text: str) -> int:
    return sum(json.loads(line)["type"] == "RECORD" for line in text.splitlines())


@pytest.mark.parametrize("columns", [120, 0], ids=["sized", "unsized"])
def test_a_bar_on_a_terminal(arguments: list[str], tmp_path: Path, columns: int) -> None:
    said = on_a_terminal(arguments, tmp_path / "messages", columns)
    frames = [
        match
        for frame in re.split(r"[\r\n]", said)
        if (match := re.match(rf"{STREAM}: +(\d+)%\|.*\| ([\d.k]+)/[\d.]+k \[[\d:]+<([\d:?]+), +(\S+)B/s(.*)", frame))
    ]
    assert any(0 < int(frame[1]) < 100 for frame in frames), said
    counted = [
        re.match(r", ([\d,]+) rows, day 20\d\d-\d\d-\d\d \(1/2\)"[: 60 if columns else 18], f[5]) for f in frames
    ]
    assert any(match and int(match[1].replace(",", "")) > 0 for match in counted), said
    assert any(re.fullmatch(r"[\d.]+k?", frame[4]) and "?" not in frame[3] for frame in frames), "rate and time left"
    assert not any("%|" in line for line in screen(said)), "the bar is gone in the end, and cuts into no log line"
    assert sum("done (" in line for line in screen(said)) == 2
    messages = (tmp_path / "messages").read_text()
    assert records(messages) > 0
    assert not re.search(r"[\r\x1b]", messages)


def test_lines_elsewhere(arguments: list[str]) -> None:
    done = subprocess.run([sys.executable, "-c", QUICK, *arguments], check=True, capture_output=True)
    assert records(done.stdout.decode()) > 0
    said = done.stderr.decode()
    reported = re.findall(rf"{STREAM}: day 20\S+, \d of 2 days done, [\d.]+ MB at [\d.]+ kB/s, \d+ rows, about", said)
    assert len(reported) >= 2, said
    assert not re.search(r"[^\n\x20-\x7e]", said)


def test_a_bar_of_days_where_nothing_is_downloaded(samples: Any, tmp_path: Path) -> None:
    config = {"chains": ["bitcoin"], "channel": "dumps", "dumps_url": (samples / "dumps").as_uri()}
    (tmp_path / "config.json").write_text(json.dumps(config))
    said = on_a_terminal(["--config", str(tmp_path / "config.json")], tmp_path / "messages", 120)
    assert "bitcoin_blocks:   0%|" in said
    assert "0/1 [00:00<?, ?day/s]" in said
    assert not any("%|" in line for line in screen(said))

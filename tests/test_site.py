"""The documentation's site: built strictly, looked at in a browser, and complete against the code."""

import ast
import csv
import html
import importlib
import json
import re
import subprocess
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click
import pytest
import yaml

from browser import browser
from checkout import PROJECT

# Airflow's own command line, passed through.
FOREIGN = {"airflow_invoker"}
EXITS = {"exit", "_exit", "Exit"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` builds it."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [PROJECT / ".venv-docs/bin/mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def shown(site: Path, page: str) -> str:
    """What stands on a page, as text without marks."""
    found = re.search(r"<article.*?</article>", (site / page).read_text(), re.DOTALL)
    assert found, page
    return html.unescape(re.sub(r"<[^>]+>", "", found[0]))


def words(text: str) -> set[str]:
    """The words of a page, as names of code are cut."""
    return set(re.findall(r"[\w.*-]+", text))


def plugins() -> Iterator[dict[str, object]]:
    """Each plugin that the project defines."""
    for path in PROJECT.glob("*/*.meltano.yml"):
        for defined in yaml.safe_load(path.read_text())["plugins"].values():
            yield from defined


def test_every_setting_and_command_of_a_plugin_is_in_the_reference(site: Path) -> None:
    found = words(shown(site, "reference/settings.html").replace(":", " "))
    expected = set()
    for plugin in plugins():
        settings, commands = plugin.get("settings", []), plugin.get("commands", {})
        assert isinstance(settings, list)
        assert isinstance(commands, dict)
        expected |= {str(plugin["name"]), *(setting["name"] for setting in settings), *commands}
    assert len(expected) > 150
    assert expected - found == set()


@pytest.mark.parametrize("tap", ["tap-blockchair", "tap-coingecko", "target-postgres-copy"])
def test_every_setting_that_a_tap_or_the_loader_takes_is_in_the_reference(site: Path, tap: str) -> None:
    about = subprocess.run(
        [PROJECT / f".venv-dev/bin/{tap}", "--about", "--format=json"], capture_output=True, check=True
    )
    named = set(json.loads(about.stdout)["settings"]["properties"])
    assert len(named) > 20
    assert named - set(shown(site, "reference/settings.html").split()) == set()


@pytest.mark.parametrize("tap", ["tap-blockchair", "tap-coingecko"])
def test_every_stream_and_its_columns_are_in_the_reference(site: Path, tap: str) -> None:
    said = subprocess.run([PROJECT / f".venv-dev/bin/{tap}", "--discover"], capture_output=True, check=True)
    streams = json.loads(said.stdout)["streams"]
    assert len(streams) > 10
    text = shown(site, "reference/streams.html")
    for stream in streams:
        section = text.split(f"\n{stream['stream']}¶")[1].split("¶")[0]
        assert set(stream["schema"]["properties"]) - words(section) == set(), stream["stream"]


def scripts() -> dict[str, str]:
    """Each program that a package of the tree installs, with what it runs."""
    found: dict[str, str] = {}
    for path in PROJECT.glob("*/*/pyproject.toml"):
        found |= tomllib.loads(path.read_text())["project"].get("scripts", {})
    return {name: runs for name, runs in found.items() if name not in FOREIGN}


def test_every_command_is_in_the_reference(site: Path) -> None:
    headings = set(re.findall(r"^(.+)¶$", shown(site, "reference/commands.html"), re.MULTILINE))
    expected = set(scripts())
    for name, runs in scripts().items():
        module = importlib.import_module(runs.partition(":")[0])
        groups = [value for value in vars(module).values() if isinstance(value, click.Group)]
        expected |= {f"{name} {command}" for group in groups for command in group.commands}
    assert {"crypto-elt run", "warehouse init", "simulator advance", "mirror-node follow"} <= expected
    assert expected - headings == set()


def test_every_target_of_make_is_in_the_reference(site: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):.*##", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    assert {"run", "docs"} <= targets
    assert {f"make {target}" for target in targets} - set(
        re.findall(r"make [a-z-]+", shown(site, "reference/commands.html"))
    ) == set()


def exit_codes(path: Path) -> Iterator[int]:
    """The exit codes that a module names: as a number or by a constant of the module."""
    tree = ast.parse(path.read_text())
    constants = dict(re.findall(r"^(_?[A-Z_]+)(?:: \w+)? = (\d+)\b", path.read_text(), re.MULTILINE))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in EXITS:
            for part in (part for argument in node.args for part in ast.walk(argument)):
                value = part.value if isinstance(part, ast.Constant) else None
                value = constants.get(part.id) if isinstance(part, ast.Name) else value
                if value is not None and str(value).isdigit():
                    yield int(str(value))


def test_every_exit_code_is_in_the_reference(site: Path) -> None:
    text = shown(site, "reference/exit-codes.html")
    packages = [PROJECT / folder for folder in ("analyze", "extract", "load", "orchestrate", "plugins")]
    files = [path for package in packages for path in package.rglob("*.py") if "tests" not in path.parts]
    named = {code for path in files for code in exit_codes(path)}
    assert {0, 1, 3, 130} <= named
    assert {str(code) for code in named} - words(text) == set()


def test_an_exit_code_of_its_own_names_the_programs_that_end_with_it(site: Path) -> None:
    page = (site / "reference/exit-codes.html").read_text()
    rows = re.findall(r"<tr>\s*<td>(\d+)</td>\s*<td>(.*?)</td>", page, re.DOTALL)
    said: dict[int, str] = {}
    for code, commands in rows:
        said[int(code)] = said.get(int(code), "") + html.unescape(re.sub(r"<[^>]+>", "", commands)) + ", "
    found = set()
    for path in PROJECT.glob("*/*/pyproject.toml"):
        programs = tomllib.loads(path.read_text())["project"].get("scripts", {})
        files = [file for file in path.parent.rglob("*.py") if "tests" not in file.parts]
        for code in {code for file in files for code in exit_codes(file)} - {0, 1}:
            found.add(code)
            assert [name for name in programs if re.search(rf"(^|, ){name}\b", said[code])], (path.parent.name, code)
    assert found == {3, 130}


def test_every_column_of_a_mart_is_in_the_reference(site: Path) -> None:
    models = [
        model
        for folder in ("marts", "bi")
        for path in (PROJECT / "transform/models" / folder).glob("*.yml")
        for model in yaml.safe_load(path.read_text()).get("models", [])
    ]
    made = {path.stem for folder in ("marts", "bi") for path in (PROJECT / "transform/models" / folder).glob("*.sql")}
    assert {model["name"] for model in models} == made
    overview = words(shown(site, "reference/marts/index.html"))
    assert made - overview == set()
    for model in models:
        text = shown(site, f"reference/marts/{model['name']}.html")
        assert {column["name"] for column in model["columns"]} - words(text) == set()
        assert "doc(" not in text


def test_every_metric_and_every_check_is_in_the_reference(site: Path) -> None:
    metrics = {
        metric["name"]
        for path in (PROJECT / "transform/models/semantic_models").glob("*.yml")
        for metric in yaml.safe_load(path.read_text()).get("metrics", [])
        if not metric.get("config", {}).get("meta", {}).get("helper")
    }
    text = shown(site, "reference/metrics.html")
    assert len(metrics) > 30
    assert metrics - words(text) == set()
    assert text.count("Source: ") > len(metrics)
    with (PROJECT / "transform/seeds/dq_checks.csv").open(newline="") as handle:
        checks = {row["check_name"] for row in csv.DictReader(handle)}
    assert checks - words(shown(site, "reference/checks.html")) == set()


def test_the_star_schema_is_shown_without_a_program_that_draws_it(site: Path) -> None:
    assert "mermaid" in (PROJECT / "docs/reference/star-schema.md").read_text()
    page = (site / "reference/star-schema.html").read_text()
    assert "erDiagram" not in page
    rows = [html.unescape(re.sub(r"<[^>]+>", "", row)) for row in re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL)]
    (blocks,) = [row for row in rows if "fct_blocks" in row]
    assert "dim_miner by miner_key" in blocks


def links(site: Path, page: Path) -> Iterator[tuple[str, Path, str]]:
    """The links of a page that stay in the site: as written, the file, the anchor."""
    for target in re.findall(r'(?:href|src)="([^"]+)"', page.read_text()):
        parts = urlsplit(html.unescape(target))
        if not parts.scheme and not target.startswith("//"):
            path = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            yield target, path, unquote(parts.fragment)


def test_no_link_within_the_site_is_dead(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    ids = {page.resolve(): set(re.findall(r'\bid="([^"]+)"', page.read_text())) for page in pages}
    dead, seen = set(), 0
    for page in (page for page in pages if page.name != "404.html"):
        for target, path, anchor in links(site, page):
            seen += 1
            if not path.exists() or (anchor and path.suffix == ".html" and anchor not in ids[path.resolve()]):
                dead.add((page.relative_to(site).as_posix(), target))
    assert seen > 1000
    assert dead == set()


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address at which a folder is served on loopback."""
    handler = partial(QuietHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files, and logs nothing."""

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.mark.parametrize(
    "name", ["index", "guides/going-live", "reference/settings", "reference/marts/fct_network_daily"]
)
def test_a_browser_asks_no_other_machine_and_finds_no_error(site: Path, name: str) -> None:
    asked: list[str] = []
    errors: list[str] = []
    with served(site) as address, browser() as page:
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{address}/{name}.html", wait_until="networkidle")
        assert page.locator("article h1").inner_text().strip()
    assert asked
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []
    assert errors == []


def test_the_search_finds_a_page_without_another_machine(site: Path) -> None:
    with served(site) as address, browser() as page:
        page.goto(f"{address}/index.html", wait_until="networkidle")
        page.click(".md-search__form")
        page.locator("input[name=query]").press_sequentially("watermark", delay=20)
        page.wait_for_selector(".md-search-result__item")
        assert "watermark" in page.locator(".md-search-result__list").inner_text().lower()

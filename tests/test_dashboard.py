"""The dashboard, as a person starts it and a browser shows it, on a warehouse in which closes are missing."""

import contextlib
import csv
import io
import json
import os
import re
import signal
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from browser import browser
from checkout import PROJECT, Checkout
from dashboard.pages import PAGES
from power_bi import Measures, agree, context
from power_bi_reference import REFERENCE_SQL, reference_sql
from powerbi_project.contract import read_contract
from waiting import wait_for
from worlds import CLOSES_LOST, World

SIZES = ((1280, 900), (390, 844))
SYMBOLS = {"bitcoin": "BTC", "dogecoin": "DOGE", "ethereum": "ETH"}
# Figures of a last day: its column beside it says which. The others are of the days in view.
OF_ONE_DAY = {"Close Price USD": "close_date", "Transactions": "block_date", "Fees USD": "block_date"}
PICTURES = os.environ.get("PICTURES")


@contextlib.contextmanager
def serving(checkout: Checkout, **extra: str) -> Iterator[str]:
    """A dashboard that Meltano serves on a free port, until the block ends; its address."""
    program = checkout.start("meltano", "invoke", "dashboard:serve", **{"DASHBOARD_PORT": "0"} | extra)
    assert program.stdout is not None
    try:
        said = ""
        for text in program.stdout:
            said += text
            if found := re.search(r"http://[\w.]+:\d+", text):
                yield found[0]
                break
        else:
            pytest.fail(said)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGINT)
        program.stdout.close()
        program.wait(timeout=30)


def fetch(address: str) -> tuple[int, str]:
    """Status and text of an address."""
    try:
        with urllib.request.urlopen(address) as answer:  # noqa: S310 - loopback
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def sentence(address: str) -> str:
    """What a page says instead of figures."""
    text = fetch(address)[1]
    found = re.search(r'<p class="message" role="alert">(.*?)</p>', text, re.DOTALL)
    assert found, text[:2000]
    assert "Traceback" not in text
    return found[1].replace("&#39;", "'").replace("&#34;", '"')


@pytest.fixture(scope="module")
def ready(filled: Callable[[World], Checkout]) -> Checkout:
    """A filled warehouse with the dashboard installed."""
    made = filled(CLOSES_LOST)
    made.run("meltano", "install", "utility", "dashboard")
    return made


@pytest.fixture(scope="module")
def address(ready: Checkout) -> Iterator[str]:
    """Where it is served."""
    with serving(ready) as found:
        yield found


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    """A tab of a browser."""
    with browser() as opened:
        yield opened


@pytest.fixture
def watched(tab: Page, address: str) -> Iterator[Page]:
    """The tab, in which any error and any request to elsewhere fails the test."""
    wrong: list[str] = []

    def complain(text: str) -> None:
        wrong.append(text)

    def asked(request: Any) -> None:  # noqa: ANN401 - the driver's own
        if not request.url.startswith((address, "data:", "blob:")):
            complain(f"asks {request.url}")

    def logged(message: Any) -> None:  # noqa: ANN401 - the driver's own
        if message.type in ("error", "warning"):
            complain(message.text)

    def failed(error: Any) -> None:  # noqa: ANN401 - the driver's own
        complain(str(error))

    tab.on("request", asked)
    tab.on("console", logged)
    tab.on("pageerror", failed)
    tab.emulate_media(color_scheme="light")
    tab.set_viewport_size({"width": 1280, "height": 900})
    yield tab
    for event, handler in (("request", asked), ("console", logged), ("pageerror", failed)):
        tab.remove_listener(event, handler)
    assert wrong == []


def drawn(tab: Page) -> int:
    """Wait until all charts are drawn; how many."""
    tab.wait_for_selector("html[data-drawn]", state="attached")
    return int(tab.evaluate("document.documentElement.dataset.drawn"))


@pytest.mark.parametrize("page", [page.name for page in PAGES])
def test_a_page_is_whole_at_each_width_and_theme(watched: Page, address: str, page: str) -> None:
    for width, height in SIZES:
        for theme in ("light", "dark"):
            watched.set_viewport_size({"width": width, "height": height})
            watched.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            watched.goto(f"{address}/{page}")
            count = drawn(watched)
            assert watched.locator(".plot .main-svg").count() >= count
            assert watched.evaluate("document.documentElement.scrollWidth <= innerWidth"), (width, theme)
            assert overlaps(watched) == []
            found = Axe().run(watched)
            assert found.violations_count == 0, found.generate_report()
            if PICTURES and page in ("overview", "fees") and (width, theme) == (1280, "light"):
                watched.screenshot(
                    path=Path(PICTURES) / f"dashboard-{page}.png",
                    clip={"x": 0, "y": 0, "width": 1280, "height": 1150},
                    full_page=True,
                )


def overlaps(tab: Page) -> list[str]:
    """Pairs of texts in charts that lie on one another, and texts that lie outside of their chart."""
    found: list[str] = tab.evaluate(
        """() => [...document.querySelectorAll('.plot')].flatMap((plot) => {
            const texts = [...plot.querySelectorAll('.xtick text, .ytick text, .y2tick text')]
                .filter((one) => one.textContent.trim() && getComputedStyle(one).opacity !== '0')
                .map((one) => ({ name: one.textContent, box: one.getBoundingClientRect() }));
            const frame = plot.getBoundingClientRect(), odd = [];
            texts.forEach((one, place) => {
                const b = one.box;
                if (b.left < frame.left - 1 || b.right > frame.right + 1 || b.bottom > frame.bottom + 1) {
                    odd.push(`${plot.dataset.name}: ${one.name} lies outside`);
                }
                texts.slice(place + 1).forEach((other) => {
                    const o = other.box;
                    if (b.left + 1 < o.right && o.left + 1 < b.right && b.top + 2 < o.bottom && o.top + 2 < b.bottom) {
                        odd.push(`${plot.dataset.name}: ${one.name} and ${other.name}`);
                    }
                });
            });
            return odd;
        })"""
    )
    return found


@pytest.mark.parametrize("page", [page.name for page in PAGES])
@pytest.mark.parametrize("days", ["", "?from=2025-01-29&to=2025-02-02"])
def test_the_figures_of_a_page_are_those_of_sql_and_of_dax(
    ready: Checkout, watched: Page, address: str, page: str, days: str
) -> None:
    watched.goto(f"{address}/{page}{days}")
    drawn(watched)
    said = watched.locator(".span").inner_text()
    first, last = re.findall(r"\d{4}-\d\d-\d\d", said)
    cards = watched.evaluate(
        """() => [...document.querySelectorAll('.cards article')].map((card) => [card.dataset.coin, Object.fromEntries(
            [...card.querySelectorAll('dd')].map((one) => [one.dataset.measure, one.dataset.value]))])"""
    )
    assert {coin for coin, _ in cards} == set(SYMBOLS)
    compared = 0
    odd = {}
    with psycopg.connect(ready.url("transformer"), autocommit=True) as connection:
        measures = measured(ready, connection)
        for coin, figures in cards:
            for name in figures.keys() & REFERENCE_SQL.keys():
                day = figures[OF_ONE_DAY[name]] if page == "overview" else ""
                span = (day, day) if day else (first, last)
                number = connection.execute(  # type: ignore[index]
                    reference_sql(name, "analytics", [SYMBOLS[coin]], span).encode()
                ).fetchone()[0]
                shown = figures[name].replace("-", "") if name == "Last Close Day" else figures[name]
                by_page = float(shown) if shown else None
                by_dax = measures.evaluate(name, context([SYMBOLS[coin]], span))
                # where nothing was counted SQL's sum of none is null, and so is a blank
                if not (agree(by_page, number) and agree(by_dax, number)):
                    odd[coin, name] = (shown, number, by_dax)
                compared += 1
    assert odd == {}
    assert compared >= 3 * len(cards)


_MEASURES: dict[Path, Measures] = {}


def measured(ready: Checkout, connection: "psycopg.Connection[Any]") -> Measures:
    """The measures over the warehouse's rows; reading them takes seconds."""
    if ready.root not in _MEASURES:
        contract = read_contract(ready.root / "transform/target/manifest.json")
        _MEASURES[ready.root] = Measures(
            contract, lambda query: connection.execute(query.encode()).fetchall(), "analytics"
        )
    return _MEASURES[ready.root]


def test_a_day_without_a_close_is_a_gap_and_is_marked(watched: Page, address: str) -> None:
    watched.goto(f"{address}/market?coin=bitcoin")
    drawn(watched)
    figure = json.loads(watched.locator("#price script").text_content() or "")
    line = figure["data"][0]
    place = line["x"].index("2025-01-31")
    assert line["y"][place] is None
    assert line["marker"]["size"][place] > 0
    assert line["connectgaps"] is False
    assert "unknown (nothing is loaded)" in line["customdata"][place]
    assert line["y"][place - 1] is not None


def test_filters_stay_in_the_address(watched: Page, address: str) -> None:
    watched.goto(f"{address}/network")
    drawn(watched)
    watched.get_by_role("checkbox", name="Dogecoin").uncheck()
    watched.wait_for_url("**/network?coin=bitcoin&coin=ethereum&days=92")
    drawn(watched)
    assert watched.locator(".cards article").count() == 2
    watched.get_by_role("radio", name="7 days").check()
    watched.wait_for_url("**days=7")
    drawn(watched)
    here = watched.url
    shown = watched.locator("main").inner_text()
    watched.goto(here)
    drawn(watched)
    assert watched.locator("main").inner_text() == shown
    assert watched.get_by_role("checkbox", name="Dogecoin").is_checked() is False
    # the menu keeps them
    watched.get_by_role("link", name="Fees").click()
    drawn(watched)
    assert watched.url.endswith("/fees?coin=bitcoin&coin=ethereum&days=7")
    watched.go_back()
    drawn(watched)
    assert watched.url == here


def test_back_undoes_a_filter(watched: Page, address: str) -> None:
    watched.goto(f"{address}/market")
    drawn(watched)
    watched.get_by_role("radio", name="7 days").check()
    watched.wait_for_url("**/market?days=7")
    drawn(watched)
    watched.go_back()
    watched.wait_for_selector("[name=days][value='92']:checked", state="attached")
    assert watched.url.endswith("/market")
    assert watched.get_by_role("radio", name="92 days").is_checked()


def test_the_keyboard_reaches_everything(watched: Page, address: str) -> None:
    watched.goto(f"{address}/market")
    drawn(watched)
    names = []
    for _ in range(40):
        watched.keyboard.press("Tab")
        names.append(
            watched.evaluate(
                "() => { const one = document.activeElement; return one.textContent.trim() || one.value || one.name }"
            )
        )
    for wanted in ("To the content", "Fees", "Dark", "bitcoin", "92", "Show", "PNG", "SVG", "CSV"):
        assert wanted in names, (wanted, names)
    assert names[0] == "To the content"
    watched.get_by_role("checkbox", name="Dogecoin").focus()
    watched.keyboard.press("Space")
    watched.wait_for_url("**coin=bitcoin&coin=ethereum**")
    drawn(watched)
    assert watched.evaluate("document.activeElement.value") == "dogecoin"


def test_a_chart_has_a_text_and_a_picture_and_a_csv(watched: Page, address: str) -> None:
    watched.goto(f"{address}/fees?coin=bitcoin")
    drawn(watched)
    plots = watched.locator(".plot")
    for place in range(plots.count()):
        text = plots.nth(place).get_attribute("aria-label") or ""
        assert plots.nth(place).get_attribute("role") == "img"
        assert re.search(r"Bitcoin: \d+ days to 2025-\d\d-\d\d, last \$[\d.,]+", text), text
    for form, begins in (("png", b"\x89PNG"), ("svg", b"<svg")):
        with watched.expect_download() as saved:
            watched.locator(f"#total [data-format={form}]").click()
        content = Path(saved.value.path()).read_bytes()
        assert content.startswith(begins)
        assert saved.value.suggested_filename == f"fees-total.{form}"
    status, text = fetch(f"{address}/data/fees/days.csv?coin=bitcoin")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert status == 200
    assert [row["coin"] for row in rows] == ["bitcoin"] * len(rows)
    assert all(re.fullmatch(r"\d+", row["fee_total_base_text"]) for row in rows if row["day_status"] != "missing")


def test_the_theme_is_a_choice_that_is_kept(watched: Page, address: str) -> None:
    watched.goto(f"{address}/market")
    drawn(watched)
    watched.get_by_role("button", name="Dark").click()
    assert watched.locator("html").get_attribute("data-theme") == "dark"
    watched.goto(f"{address}/fees")
    drawn(watched)
    assert watched.locator("html").get_attribute("data-theme") == "dark"
    watched.evaluate("localStorage.clear()")


def test_without_scripts_the_figures_are_there(address: str) -> None:
    _, text = fetch(f"{address}/market")
    assert text.count("data-measure=") == 15
    assert 'action="market"' in text


def test_what_is_asked_wrongly_gets_a_sentence(address: str) -> None:
    assert sentence(f"{address}/market?coin=pebble").startswith("No coin is called 'pebble' here; there are bitcoin")
    assert fetch(f"{address}/market?coin=pebble")[0] == 400
    assert sentence(f"{address}/fees?days=12").startswith("Days is '12': it is one of 7, 30, 92, 365, all.")
    assert "is no day: write it as 2025-01-31" in sentence(f"{address}/fees?from=soon")
    assert "is after the last one" in sentence(f"{address}/fees?from=2025-02-02&to=2025-02-01")
    assert fetch(f"{address}/nowhere")[0] == 404
    assert fetch(f"{address}/a/b/c")[0] == 404
    assert fetch(f"{address}/static/../server.py")[0] == 404
    assert fetch(f"{address}/data/fees/secrets.csv")[0] == 404


def test_a_build_ends_the_cache(ready: Checkout, address: str) -> None:
    before = fetch(f"{address}/market?coin=bitcoin")[1]
    close = "update analytics.bi_market_daily set close_price_usd = 77777.25 where close_date = '2025-02-04'"
    kept = ready.sql("select price_key, close_price_usd from analytics.bi_market_daily where close_date = '2025-02-04'")
    try:
        # a build writes all rows anew in one transaction
        with psycopg.connect(ready.url("transformer")) as builder:
            builder.execute("create temporary table kept as select * from analytics.bi_market_daily")
            builder.execute("delete from analytics.bi_market_daily")
            builder.execute("insert into analytics.bi_market_daily select * from kept")
            builder.execute(close)
        assert "77,777.25" not in before
        assert "77,777.25" in fetch(f"{address}/market?coin=bitcoin")[1]
    finally:
        with psycopg.connect(ready.url("transformer")) as connection:
            for key, value in kept:
                connection.execute(
                    "update analytics.bi_market_daily set close_price_usd = %s where price_key = %s", (value, key)
                )


@pytest.mark.long(part="other-projects")
def test_a_login_that_is_locked_out_and_a_warehouse_that_is_down(ready: Checkout) -> None:
    with serving(ready) as address:
        assert json.loads(fetch(f"{address}/health")[1]) == {"status": "ok", "warehouse": "ok"}
        ready.sql_do("alter role bi_reader nologin", role="admin")
        ready.sql_do("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'bi_reader'", role="admin")
        try:
            assert "is locked out of the warehouse" in sentence(f"{address}/market")
            assert fetch(f"{address}/market")[0] == 503
        finally:
            ready.sql_do("alter role bi_reader login", role="admin")
        wait_for(lambda: fetch(f"{address}/market?days=7")[0] == 200, "the login is let in again")
        ready.run("warehouse", "stop")
        try:
            assert "does not answer at" in sentence(f"{address}/market")
            assert "does not answer" in json.loads(fetch(f"{address}/health")[1])["warehouse"]
        finally:
            ready.run("warehouse", "start")
        wait_for(lambda: fetch(f"{address}/market?days=30")[0] == 200, "the warehouse is back")
    with serving(ready, DASHBOARD_WAREHOUSE_PASSWORD="wrong") as address:
        assert "does not accept the password of bi_reader" in sentence(f"{address}/overview")


@pytest.mark.long(part="other-projects")
def test_the_marts_while_they_are_built_or_not_there(ready: Checkout) -> None:
    with serving(ready) as address, psycopg.connect(ready.url("transformer")) as builder:
        builder.execute("lock table analytics.bi_network_daily in access exclusive mode")
        assert "the marts are being built" in sentence(f"{address}/network").lower()
        builder.rollback()
        builder.execute("alter table analytics.bi_network_daily rename to bi_network_later")
        builder.commit()
        try:
            assert "the marts are not built yet" in sentence(f"{address}/network").lower()
        finally:
            builder.execute("alter table analytics.bi_network_later rename to bi_network_daily")
            builder.commit()
        builder.execute("revoke select on analytics.bi_network_daily from bi_reader")
        builder.commit()
        try:
            assert "may not read the marts: `warehouse init` grants it" in sentence(f"{address}/network")
        finally:
            builder.execute("grant select on analytics.bi_network_daily to bi_reader")
            builder.commit()


@pytest.mark.long(part="other-projects")
def test_prices_alone_and_nothing_at_all(ready: Checkout) -> None:
    names = [
        name
        for (name,) in ready.sql(
            "select relname from pg_class where relnamespace = 'analytics'::regnamespace and relkind = 'r'"
        )
    ]
    chain = [name for name in names if str(name).startswith("bi_") and "market" not in str(name)]
    with serving(ready) as address, psycopg.connect(ready.url("transformer")) as emptier:
        try:
            for name in chain:
                emptier.execute(f"create table intermediate.kept_{name} as select * from analytics.{name}")  # type: ignore[call-overload]  # noqa: S608
                emptier.execute(f"delete from analytics.{name}")  # type: ignore[call-overload]  # noqa: S608
            emptier.commit()
            assert "no blocks are loaded" in sentence(f"{address}/fees").lower()
            status, text = fetch(f"{address}/market")
            assert (status, text.count("<article")) == (200, 3)
            assert fetch(f"{address}/overview")[0] == 200
            emptier.execute("create table intermediate.kept_bi_market_daily as select * from analytics.bi_market_daily")
            emptier.execute("delete from analytics.bi_market_daily")
            emptier.commit()
            for page in PAGES:
                assert sentence(f"{address}/{page.name}").startswith("The warehouse is empty: `make run` fills")
        finally:
            for name in [*chain, "bi_market_daily"]:
                emptier.execute(f"insert into analytics.{name} select * from intermediate.kept_{name}")  # type: ignore[call-overload]  # noqa: S608
                emptier.execute(f"drop table intermediate.kept_{name}")  # type: ignore[call-overload]
            emptier.commit()


def test_the_pages_as_plain_files(ready: Checkout, tab: Page, tmp_path: Path) -> None:
    said = ready.run("meltano", "invoke", "dashboard:export", "--output", str(tmp_path / "site"), "--days", "7")
    assert "wrote 8 pages" in said.stdout
    wrong: list[str] = []
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.on(
        "request", lambda request: wrong.append(request.url) if not request.url.startswith(("file:", "data:")) else None
    )
    tab.goto(f"file://{tmp_path}/site/index.html")
    assert drawn(tab) > 0
    for page in PAGES:
        tab.goto(f"file://{tmp_path}/site/{page.name}.html")
        drawn(tab)
        assert tab.locator("nav [aria-current]").inner_text() == page.title
        for link in tab.locator("a[href]").all():
            target = link.get_attribute("href") or ""
            assert target.startswith("#") or (tmp_path / "site" / target).is_file(), target
    assert wrong == []
    assert "2025-01-28" not in (tmp_path / "site/fees-days.csv").read_text()


def test_a_port_that_is_taken_gets_a_sentence(ready: Checkout, address: str) -> None:
    port = address.rsplit(":", 1)[1]
    said = ready.fails("meltano", "invoke", "dashboard:serve", DASHBOARD_PORT=port)
    assert f"cannot listen on 127.0.0.1:{port}" in said
    assert "Traceback" not in said


def test_make_run_names_it() -> None:
    assert "make dashboard" in (PROJECT / "plugins/console/console/summary.py").read_text()

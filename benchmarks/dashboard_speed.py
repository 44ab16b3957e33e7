r"""How fast the dashboard is: queries, the browser's first paint, a filter's change, and many readers at once.

    .venv-dev/bin/python benchmarks/dashboard_speed.py [--readers 20] [--seconds 60] ADDRESS \
        "$(warehouse url --role bi_reader)"

ADDRESS is that of a running dashboard (`meltano invoke dashboard:serve`). Each query of each page is timed three times
on the server, of which the middle counts. The browser opens each page five times with an empty memory of pages; the
middle counts. Readers ask without a pause for pages in views drawn by chance, of which most are not kept. Status 1
where a bound is broken. docs/guides/dashboard.md has the figures.
"""

import argparse
import random
import shutil
import statistics
import sys
import threading
import time
import urllib.request

import psutil
import psycopg
from playwright.sync_api import Page as Tab
from playwright.sync_api import sync_playwright

from dashboard.page import read_sql
from dashboard.pages import PAGES
from dashboard.view import SPANS, read_view

BOUNDS = {"query": 200, "paint": 1000, "change": 500, "readers": 1000, "memory": 400}
REPEATS = 5


def time_queries(url: str) -> dict[str, tuple[int, float]]:
    """For each page how many queries it asks and what its slowest takes, in milliseconds."""
    found = {}
    with psycopg.connect(url, autocommit=True, row_factory=psycopg.rows.dict_row) as connection:
        options = connection.execute(read_sql("options").encode()).fetchall()
        for page in PAGES:
            view = read_view(options, [], only_chains=page.needs_chain)
            slowest = 0.0
            for query in (read_sql("published"), read_sql("options"), *(page.sql(name) for name in page.datasets)):
                runs = []
                for _ in range(3):
                    started = time.perf_counter()
                    connection.execute(query.encode(), view.parameters).fetchall()
                    runs.append((time.perf_counter() - started) * 1000)
                slowest = max(slowest, statistics.median(runs))
            found[page.name] = (len(page.datasets) + 1, slowest)
    return found


def drawn(tab: Tab) -> None:
    """Wait until all charts are drawn."""
    tab.wait_for_selector("html[data-drawn]", state="attached")


def time_browser(address: str) -> dict[str, tuple[float, float, float]]:
    """For each page first paint, all charts drawn, and a filter's change until all are drawn again, in milliseconds."""
    found = {}
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=shutil.which("chromium"))
        for page in PAGES:
            paints, wholes, changes = [], [], []
            for number in range(REPEATS):
                tab = chromium.new_context(viewport={"width": 1280, "height": 900}).new_page()
                tab.goto(f"{address}/{page.name}")
                drawn(tab)
                wholes.append(tab.evaluate("performance.now()"))
                tab.wait_for_load_state("networkidle")
                paints.append(tab.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
                changes.append(
                    tab.evaluate(
                        """(key) => new Promise((done) => {
                            const started = performance.now();
                            new MutationObserver((_, watcher) => {
                                if (document.documentElement.dataset.drawn !== undefined) {
                                    watcher.disconnect();
                                    done(performance.now() - started);
                                }
                            }).observe(document.documentElement, { attributes: true });
                            document.querySelector(`[name=days][value="${key}"]`).click();
                        })""",
                        ("30", "7")[number % 2],
                    )
                )
                tab.context.close()
            found[page.name] = tuple(statistics.median(runs) for runs in (paints, wholes, changes))
        chromium.close()
    return found  # type: ignore[return-value]


def time_readers(address: str, readers: int, seconds: int, coins: list[str]) -> tuple[list[float], int]:
    """Milliseconds of each answer, and how many were errors."""
    taken: list[float] = []
    errors = []
    until = time.monotonic() + seconds

    def read(number: int) -> None:
        chance = random.Random(number)  # noqa: S311 - views, no secrets
        while time.monotonic() < until:
            chosen = "&".join(f"coin={coin}" for coin in chance.sample(coins, chance.randint(1, len(coins))))
            page, days = chance.choice(PAGES).name, chance.choice(list(SPANS))
            started = time.perf_counter()
            try:
                with urllib.request.urlopen(f"{address}/{page}?{chosen}&days={days}") as answer:  # noqa: S310 - loopback
                    answer.read()
            except OSError as error:
                errors.append(error)
            taken.append((time.perf_counter() - started) * 1000)

    threads = [threading.Thread(target=read, args=(number,)) for number in range(readers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(taken), len(errors)


def memory_of(address: str) -> float:
    """Resident megabytes of whoever listens at an address."""
    port = int(address.rsplit(":", 1)[1].strip("/"))
    (process,) = {one.pid for one in psutil.net_connections("tcp") if one.status == "LISTEN" and one.laddr.port == port}
    return float(psutil.Process(process).memory_info().rss / 1e6)


def main() -> None:
    """Measure, and print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address", help="of a running dashboard")
    parser.add_argument("url", help="of its warehouse, as bi_reader")
    parser.add_argument("--readers", type=int, default=20)
    parser.add_argument("--seconds", type=int, default=60)
    asked = parser.parse_args()
    address = asked.address.rstrip("/")
    broken = []
    queries, browser = time_queries(asked.url), time_browser(address)
    print(
        "| page | queries | slowest, ms | first paint, ms | all drawn, ms | filter change, ms |\n" + "| --- " * 6 + "|"
    )
    for page in PAGES:
        (count, slowest), (paint, whole, change) = queries[page.name], browser[page.name]
        print(f"| {page.name} | {count} | {slowest:.1f} | {paint:.0f} | {whole:.0f} | {change:.0f} |")
        for what, value in (("query", slowest), ("paint", paint), ("change", change)):
            if value > BOUNDS[what]:
                broken.append(f"{page.name}: {what} {value:.0f} ms")
    with psycopg.connect(asked.url) as connection:
        coins = [
            row[0] for row in connection.execute("select coingecko_id from dim_asset where asset_key <> -1 order by 1")
        ]
    taken, errors = time_readers(address, asked.readers, asked.seconds, coins)
    at_most = taken[int(len(taken) * 0.95)]
    memory = memory_of(address)
    print(
        f"\n{asked.readers} readers for {asked.seconds} s: {len(taken):,} answers, {errors} errors, half within"
        f" {statistics.median(taken):.0f} ms, 95 % within {at_most:.0f} ms; the server has {memory:.0f} MB"
    )
    broken += [f"{errors} errors"] if errors else []
    broken += [f"95 % within {at_most:.0f} ms"] if at_most > BOUNDS["readers"] else []
    broken += [f"{memory:.0f} MB"] if memory > BOUNDS["memory"] else []
    if broken:
        sys.exit(f"error: bounds broken: {'; '.join(broken)}")


if __name__ == "__main__":
    main()

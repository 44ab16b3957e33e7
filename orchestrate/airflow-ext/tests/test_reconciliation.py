"""The report's page: what it reads of the warehouse, what it shows, and who may see it."""

import asyncio
import re
from collections.abc import Iterator
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from airflow.api_fastapi.core_api import security
from fastapi.testclient import TestClient
from sqlalchemy.engine import make_url

from airflow_ext import plugin, reconciliation
from airflow_ext.reconciliation import GROUPS, NoReportError, Report, _html, app, read_report

from .conftest import Url

DAY = date(2026, 1, 31)


def day(**values: object) -> dict[str, object]:
    counts = {f"{name}_{what}_count": 0 for name in GROUPS for what in ("verified", "unverifiable", "failed")}
    row = {
        "chain": "bitcoin",
        "block_date": date(2025, 2, 2),
        "block_count": 1000,
        "failed_heights": [],
        "reasons": None,
    }
    return row | counts | values


def page(*days: dict[str, object], older: str | None = None, **asked: object) -> str:
    shown = [{"failed": 0, "unverifiable": 0} | one for one in days]
    chain = {"first_day": DAY, "last_day": DAY, "days": 1, "blocks": 1, "verified": 1, "unverifiable": 0}
    chains = [chain | {"chain": name, "failed": 0, "failed_days": 0} for name in ("bitcoin", "ethereum")]
    report = Report(chains=chains, days=shown, older=None)
    asked = {"chain": None, "only": None, "until": None} | asked
    return bytes(_html(200, report=report, asked=asked, older=older).body).decode()


def test_what_the_warehouse_says_is_text_and_never_markup() -> None:
    shown = page(day(chain="<script>alert(1)</script>", reasons='"><img src=x>'))
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
    assert "<script" not in shown
    assert "<img" not in shown
    shown = page(day(reasons="found \x1b[2J\u202eabc\u2066 {{ 7 * 7 }}", failed=1, failed_heights=[1]))
    assert r"found \x1b[2J\u202eabc\u2066 {{ 7 * 7 }}" in shown
    assert all(letter.isprintable() or letter == "\n" for letter in shown)


def test_each_outcome_has_its_word() -> None:
    assert ">verified</span>" in page(day(header_verified_count=8))
    partly = page(day(unverifiable=3, header_unverifiable_count=3, reasons="no parent"))
    assert ">in part</span>" in partly
    assert "3 unverifiable" in partly
    assert "no parent" in partly
    failed = page(day(failed=1, unverifiable=3, header_failed_count=1, failed_heights=[65]))
    assert ">failed</span>" in failed
    assert "block 65" in failed
    assert "1 failed" in failed
    assert "blocks 65, 66</span>" in page(day(failed=2, failed_heights=[65, 66]))
    assert "No such day." in page()


def test_the_form_shows_what_was_asked_for() -> None:
    shown = page(chain="ethereum", only="failed", until=DAY, older="until=2026-01-01")
    assert re.findall(r"<option[^>]* selected>([^<]+)", shown) == ["ethereum", "days with a failure"]
    assert 'name="until" value="2026-01-31"' in shown
    assert '<a href="?until=2026-01-01">Older days</a>' in shown
    assert "Older days" not in page()


def test_of_many_blocks_the_first_twenty_are_named() -> None:
    shown = page(day(failed=30, failed_heights=list(range(100, 130))))
    assert "118, 119 and 10 more" in shown
    assert "120" not in shown
    assert "more" not in page(day(failed=20, failed_heights=list(range(100, 120)))).partition("<h2>Days</h2>")[2]


def test_no_warehouse_is_a_sentence() -> None:
    for missing in ("PASSWORD", "HOST"):
        with pytest.raises(NoReportError, match="Start the embedded one"):
            read_report(
                {"AIRFLOW_EXT_WAREHOUSE_HOST": "x", "AIRFLOW_EXT_WAREHOUSE_PASSWORD": "y"}
                | {f"AIRFLOW_EXT_WAREHOUSE_{missing}": ""},
                None,
                None,
                None,
            )


def test_a_warehouse_that_is_down_is_a_sentence_without_the_password() -> None:
    environ = {
        "AIRFLOW_EXT_WAREHOUSE_HOST": "127.0.0.1",
        "AIRFLOW_EXT_WAREHOUSE_PORT": "1",
        "AIRFLOW_EXT_WAREHOUSE_PASSWORD": "hush-hush",
    }
    with pytest.raises(NoReportError, match=r"127\.0\.0\.1:1 does not answer: .*refused") as error:
        read_report(environ, None, None, None)
    assert "hush-hush" not in str(error.value)


def settings(url: str) -> dict[str, str]:
    """The least that the plugin's settings have to say of a warehouse."""
    address = make_url(url)
    stated = {"HOST": address.host, "PORT": address.port, "PASSWORD": address.password}
    return {f"AIRFLOW_EXT_WAREHOUSE_{name}": str(value) for name, value in stated.items()}


class Marts:
    """The report's table, made as its contract says and filled by a test."""

    def __init__(self, url: Url) -> None:
        self.admin = psycopg.connect(url("admin"), autocommit=True)
        self.environ = settings(url("bi_reader"))

    def make(self, *rows: dict[str, object]) -> None:
        counts = ", ".join(f"{name} bigint" for name in day() if name.endswith("_count") and name != "block_count")
        self.admin.execute("drop table if exists analytics.rpt_reconciliation")
        self.admin.execute(
            "create table analytics.rpt_reconciliation (chain text, block_date date, block_count bigint,"  # type: ignore[arg-type]
            f" failed_heights bigint[], reasons text, {counts})"
        )
        self.admin.execute("grant select on analytics.rpt_reconciliation to bi_reader")
        with self.admin.cursor() as cursor:
            names = list(day())
            cursor.executemany(
                f"insert into analytics.rpt_reconciliation ({', '.join(names)}) "  # type: ignore[arg-type]  # noqa: S608
                f"values ({', '.join(f'%({name})s' for name in names)})",
                rows,
            )

    def days(
        self, chain: str | None = None, only: str | None = None, until: date | None = None
    ) -> list[tuple[str, str]]:
        return [(row["chain"], str(row["block_date"])) for row in read_report(self.environ, chain, only, until).days]


@pytest.fixture(scope="module")
def server(warehouse: Url) -> Iterator[Marts]:
    made = Marts(warehouse)
    yield made
    made.admin.execute("drop table if exists analytics.rpt_reconciliation")
    made.admin.close()


@pytest.fixture
def marts(server: Marts) -> Marts:
    """Two chains with three days each, of which some have a failed or an unverifiable check."""
    rows = [
        day(chain="dogecoin", block_date=DAY, block_count=5, header_verified_count=2),
        day(chain="bitcoin", block_date=DAY, block_count=7, amounts_failed_count=1, amounts_verified_count=3),
        day(chain="dogecoin", block_date=DAY - timedelta(days=1), block_count=5, loading_unverifiable_count=4),
        day(chain="bitcoin", block_date=DAY - timedelta(days=1), block_count=7, header_failed_count=2)
        | {"header_unverifiable_count": 1},
        day(chain="bitcoin", block_date=DAY - timedelta(days=2), block_count=8),
    ]  # fmt: skip
    server.make(*rows)
    return server


NEWEST, MIDDLE, OLDEST = "2026-01-31", "2026-01-30", "2026-01-29"


def test_days_come_newest_first_and_chains_by_name(marts: Marts) -> None:
    assert marts.days() == [
        *(("bitcoin", NEWEST), ("dogecoin", NEWEST), ("bitcoin", MIDDLE), ("dogecoin", MIDDLE), ("bitcoin", OLDEST))
    ]


def test_the_role_s_settings_change_nothing(marts: Marts, monkeypatch: pytest.MonkeyPatch) -> None:
    marts.admin.execute("update analytics.rpt_reconciliation set reasons = 'Überweisung 漢字'")
    before = read_report(marts.environ, None, None, None)
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    for name, value in {"client_encoding": "LATIN1", "DateStyle": "SQL, DMY", "TimeZone": "Asia/Tokyo"}.items():
        marts.admin.execute(f"alter role bi_reader in database crypto set {name} to '{value}'")  # type: ignore[arg-type]
    try:
        assert read_report(marts.environ, None, None, None) == before
    finally:
        marts.admin.execute("alter role bi_reader in database crypto reset all")
    assert before.days[0]["reasons"] == "Überweisung 漢字"


def test_until_is_the_last_day_that_is_shown(marts: Marts) -> None:
    assert marts.days(until=DAY) == marts.days()
    assert marts.days(until=DAY - timedelta(days=1)) == [("bitcoin", MIDDLE), ("dogecoin", MIDDLE), ("bitcoin", OLDEST)]
    assert marts.days(until=DAY - timedelta(days=2)) == [("bitcoin", OLDEST)]
    assert marts.days(until=DAY - timedelta(days=3)) == []


def test_days_of_a_chain_or_with_a_kind_of_check(marts: Marts) -> None:
    assert marts.days(chain="dogecoin") == [("dogecoin", NEWEST), ("dogecoin", MIDDLE)]
    assert marts.days(chain="doge") == []
    assert marts.days(only="failed") == [("bitcoin", NEWEST), ("bitcoin", MIDDLE)]
    assert marts.days(only="unverifiable") == [("bitcoin", MIDDLE), ("dogecoin", MIDDLE)]
    assert marts.days("bitcoin", "failed", DAY - timedelta(days=1)) == [("bitcoin", MIDDLE)]


@pytest.mark.parametrize("group", GROUPS)
def test_checks_of_every_group_count(server: Marts, group: str) -> None:
    counts = {f"{group}_verified_count": 5, f"{group}_unverifiable_count": 3, f"{group}_failed_count": 2}
    server.make(day(**counts), day(block_date=DAY))
    report = read_report(server.environ, None, "failed", None)
    (only,) = report.days
    assert (only["failed"], only["unverifiable"]) == (2, 3)
    assert {name: only[name] for name in counts} == counts
    (chain,) = report.chains
    assert (chain["verified"], chain["unverifiable"], chain["failed"], chain["failed_days"]) == (5, 3, 2, 1)
    assert len(read_report(server.environ, None, "unverifiable", None).days) == 1


def test_chains_are_summed_over_all_their_days_whatever_was_asked_for(marts: Marts) -> None:
    for report in (read_report(marts.environ, None, None, None), read_report(marts.environ, "x", "failed", DAY)):
        assert [tuple(row.values()) for row in report.chains] == [
            ("bitcoin", DAY - timedelta(days=2), DAY, 3, 22, 3, 1, 3, 2),
            ("dogecoin", DAY - timedelta(days=1), DAY, 2, 10, 2, 4, 0, 0),
        ]


def test_a_page_has_two_hundred_rows_and_the_next_begins_with_a_whole_day(server: Marts) -> None:
    def rows(count: int) -> list[dict[str, object]]:
        days = [DAY - timedelta(days=number // 2) for number in range(count)]
        return [day(chain=f"c{number % 2}", block_date=one) for number, one in enumerate(days)]

    server.make(*rows(200))
    report = read_report(server.environ, None, None, None)
    assert (len(report.days), report.older) == (200, None)
    server.make(*rows(203))
    report = read_report(server.environ, None, None, None)
    assert (len(report.days), report.older) == (200, DAY - timedelta(days=100))
    assert [row["block_date"] for row in report.days[-2:]] == [DAY - timedelta(days=99)] * 2
    left = read_report(server.environ, None, None, report.older)
    assert [row["chain"] for row in left.days] == ["c0", "c1", "c0"]


@pytest.mark.parametrize(
    "statement",
    [
        "drop table analytics.rpt_reconciliation",
        "alter table analytics.rpt_reconciliation drop column reasons",
        "revoke select on analytics.rpt_reconciliation from bi_reader",
    ],
)
def test_a_report_that_is_not_built_is_a_sentence(marts: Marts, statement: str) -> None:
    marts.admin.execute(statement)
    with pytest.raises(NoReportError, match=r"not built yet, or by another release\. Run the DAG marts-daily"):
        marts.days()


def test_a_page_waits_ten_seconds_for_the_warehouse_and_no_longer(marts: Marts) -> None:
    login = {name.rpartition("_")[2].lower(): value for name, value in marts.environ.items()}
    with reconciliation._connect(dict.fromkeys(reconciliation._LOGIN, "") | login) as connection:
        assert connection.execute("show statement_timeout").fetchall() == [{"statement_timeout": "10s"}]
        assert connection.execute("show application_name").fetchall() == [
            {"application_name": "airflow-reconciliation"}
        ]
        assert (connection.info.user, connection.info.dbname) == ("bi_reader", "crypto")


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """Somebody who is logged in."""
    allowed = SimpleNamespace(is_authorized_view=lambda **asked: asked["access_view"].value == "WEBSITE")
    monkeypatch.setattr(security, "get_auth_manager", lambda: allowed)
    app.dependency_overrides[security.get_user] = lambda: SimpleNamespace(name="reader")
    with TestClient(app, root_path="/above/reconciliation", follow_redirects=False) as client:
        yield client
    app.dependency_overrides.clear()


def seen(answer: Any) -> list[tuple[str, str]]:  # noqa: ANN401 - of either of two clients
    return [(chain, day) for day, chain in re.findall(r'<tr><td class="day">([\d-]+)</td><td>(\w+)', answer.text)]


def test_the_page_answers_what_its_address_asks(
    browser: TestClient, marts: Marts, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in marts.environ.items():
        monkeypatch.setenv(name, value)
    whole = browser.get("/")
    assert (whole.status_code, seen(whole)) == (200, marts.days())
    assert whole.headers["cache-control"] == "no-store"
    assert seen(browser.get(f"/?chain=bitcoin&only=failed&until={MIDDLE}")) == [("bitcoin", MIDDLE)]
    assert seen(browser.get("/?chain=&only=&until=")) == marts.days()  # a form that was left empty
    assert "Older days" not in whole.text


def test_the_link_to_older_days_keeps_what_was_asked(
    browser: TestClient, server: Marts, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in server.environ.items():
        monkeypatch.setenv(name, value)
    server.make(*(day(block_date=DAY - timedelta(days=number), header_failed_count=1) for number in range(201)))
    last = DAY - timedelta(days=200)
    for asked, link in (("", ""), (f"?chain=bitcoin&only=failed&until={DAY}", "chain=bitcoin&amp;only=failed&amp;")):
        assert f'<a href="?{link}until={last}">Older days</a>' in browser.get(f"/{asked}").text


@pytest.mark.parametrize("asked", ["until=soon", "only=verified"])
def test_an_address_that_asks_for_what_there_is_not_is_reported(browser: TestClient, asked: str) -> None:
    answer = browser.get(f"/?{asked}")
    assert answer.status_code == 422
    assert "A day is written 2026-01-31; `only` is failed or unverifiable." in answer.text


def test_a_page_without_a_warehouse_says_so(browser: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_EXT_WAREHOUSE_HOST", raising=False)
    answer = browser.get("/")
    assert answer.status_code == 503
    assert 'role="alert">No warehouse is named.' in answer.text


def test_who_may_not_see_it_is_refused(browser: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security, "get_auth_manager", lambda: SimpleNamespace(is_authorized_view=lambda **_: False))
    answer = browser.get("/")
    assert answer.status_code == 403
    assert "Airflow refuses: Forbidden." in answer.text


def test_who_is_not_logged_in_is_sent_to_the_login_and_back(browser: TestClient) -> None:
    app.dependency_overrides.clear()
    answer = browser.get("/")
    assert answer.status_code == 307
    assert answer.headers["location"] == "/above/api/v2/auth/login?next=%2Fabove%2Freconciliation%2F"


def test_airflow_finds_the_page_and_a_link_to_it() -> None:
    assert [(one["url_prefix"], one["app"]) for one in plugin.CryptoElt.fastapi_apps] == [
        ("/reconciliation", plugin.reconciliation)
    ]
    (view,) = plugin.CryptoElt.external_views
    assert (view["href"], view["destination"], view["category"]) == ("/reconciliation/", "nav", "browse")
    sent: list[dict[str, Any]] = []

    async def ask() -> None:
        async def receive() -> dict[str, Any]:
            return {"type": "http.request"}

        async def send(message: Any) -> None:  # noqa: ANN401 - ASGI's
            sent.append(message)

        scope = {"type": "http", "method": "GET", "path": "/nowhere", "headers": [], "query_string": b""}
        await plugin.reconciliation(scope, receive, send)  # type: ignore[arg-type]

    asyncio.run(ask())
    assert sent[0]["status"] == 404

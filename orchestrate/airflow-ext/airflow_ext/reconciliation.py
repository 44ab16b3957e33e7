"""The page that shows what the warehouse has verified, per chain and day, to whoever is logged in to Airflow."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date  # noqa: TC003 - FastAPI reads the annotations
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlencode

import psycopg
from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
from airflow.api_fastapi.core_api.security import requires_access_view
from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, PackageLoader
from psycopg.rows import DictRow, dict_row
from pydantic import BeforeValidator

from airflow_ext.log_lines import visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PAGE_ROWS = 200
_CONNECT_SECONDS = 5
_STATEMENT_MILLISECONDS = 10_000
# What role, database and environment might say otherwise of what is shown.
_SESSION = "-c DateStyle=ISO,MDY -c TimeZone=UTC -c extra_float_digits=1 -c search_path=public -c bytea_output=hex"
_UNAUTHENTICATED = 401
# Prefix of the columns, and what a person calls it.
GROUPS = {
    "header": "Headers",
    "amounts": "Amounts",
    "transactions": "Transactions",
    "outputs_inputs": "Outputs, inputs",
    "loading": "Loading",
}
_FAILED = " + ".join(f"{name}_failed_count" for name in GROUPS)
_UNVERIFIABLE = " + ".join(f"{name}_unverifiable_count" for name in GROUPS)
_VERIFIED = " + ".join(f"{name}_verified_count" for name in GROUPS)
_DAYS = f"""
select
    chain, block_date, block_count, failed_heights, reasons, {_FAILED} as failed, {_UNVERIFIABLE} as unverifiable,
    {", ".join(f"{name}_{what}_count" for name in GROUPS for what in ("verified", "unverifiable", "failed"))}
from analytics.rpt_reconciliation
where (%(chain)s::text is null or chain = %(chain)s)
  and (%(until)s::date is null or block_date <= %(until)s)
  and (%(only)s::text is null
       or (%(only)s = 'failed' and {_FAILED} > 0)
       or (%(only)s = 'unverifiable' and {_UNVERIFIABLE} > 0))
order by block_date desc, chain
limit {_PAGE_ROWS + 1}
"""  # noqa: S608 - names of this module
_CHAINS = f"""
select
    chain, min(block_date) as first_day, max(block_date) as last_day, count(*) as days, sum(block_count) as blocks,
    sum({_VERIFIED}) as verified, sum({_UNVERIFIABLE}) as unverifiable, sum({_FAILED}) as failed,
    count(*) filter (where {_FAILED} > 0) as failed_days
from analytics.rpt_reconciliation
group by chain
order by chain
"""  # noqa: S608 - names of this module
_LOGIN = ("host", "port", "database", "user", "password", "sslmode")


def _shown(value: object) -> object:
    """Write out, of text, what would hide a part of the page's words or turn their direction."""
    return visible(value) if type(value) is str else value


_TEMPLATES = Environment(
    loader=PackageLoader("airflow_ext"), autoescape=True, trim_blocks=True, lstrip_blocks=True, finalize=_shown
)


@dataclass(frozen=True)
class Report:
    """What the page shows."""

    chains: Sequence[Mapping[str, Any]]
    days: Sequence[Mapping[str, Any]]
    older: date | None  # the day from which the next page goes on


class NoReportError(Exception):
    """There is nothing to show; the text says why and what to do."""


def read_report(environ: Mapping[str, str], chain: str | None, only: str | None, until: date | None) -> Report:
    """Read the report as the role that `warehouse.user` names, which may read the marts and nothing else.

    Raises:
        NoReportError: Not configured, not reachable, or not built.
    """
    found = {name: environ.get(f"AIRFLOW_EXT_WAREHOUSE_{name}".upper(), "") for name in _LOGIN}
    if not (found["host"] and found["password"]):
        raise NoReportError(
            "No warehouse is named. Start the embedded one (`warehouse start`) in the environment local, set "
            "WAREHOUSE_HOST and WAREHOUSE_BI_READER_PASSWORD in .env in the others; then start Airflow again."
        )
    asked = {"chain": chain, "only": only, "until": until}
    try:
        with _connect(found) as connection:
            days = connection.execute(_DAYS, asked).fetchall()
            chains = connection.execute(_CHAINS).fetchall()
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn, psycopg.errors.InsufficientPrivilege):
        raise NoReportError(
            "The report is not built yet, or by another release. Run the DAG marts-daily, or "
            "`meltano run warehouse-to-marts`."
        ) from None
    except psycopg.Error as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise NoReportError(
            f"The warehouse at {found['host']}:{found['port'] or 5432} does not answer: {reason}. Start it "
            "(`warehouse start` in the environment local), or mend WAREHOUSE_* in .env and start Airflow again."
        ) from None
    more = len(days) > _PAGE_ROWS
    # The next page begins with the whole of the day that this one may have cut.
    return Report(chains, days[:_PAGE_ROWS], days[_PAGE_ROWS]["block_date"] if more else None)


def _connect(login: Mapping[str, str]) -> psycopg.Connection[DictRow]:
    return psycopg.connect(
        host=login["host"],
        port=login["port"] or 5432,
        dbname=login["database"] or "crypto",
        user=login["user"] or "bi_reader",
        password=login["password"],
        sslmode=login["sslmode"] or "prefer",
        connect_timeout=_CONNECT_SECONDS,
        application_name="airflow-reconciliation",
        client_encoding="UTF8",
        options=f"-c statement_timeout={_STATEMENT_MILLISECONDS} {_SESSION}",
        row_factory=dict_row,
    )


app = FastAPI(title="Reconciliation", docs_url=None, redoc_url=None, openapi_url=None)


def _html(status: int, **values: object) -> HTMLResponse:
    page = _TEMPLATES.get_template("reconciliation.html").render(groups=GROUPS, **values)
    return HTMLResponse(page, status, headers={"Cache-Control": "no-store"})


@app.exception_handler(HTTPException)
def refuse(request: Request, error: HTTPException) -> Response:
    """Send whoever is not logged in to Airflow's login, and back here afterwards."""
    if error.status_code != _UNAUTHENTICATED:
        return _html(error.status_code, problem=f"Airflow refuses: {error.detail}.")
    above = request.scope["root_path"].rsplit("/", 1)[0]
    back = urlencode({"next": f"{request.scope['root_path']}/"})
    return RedirectResponse(f"{above}/api/v2/auth/login?{back}")


@app.exception_handler(RequestValidationError)
def misunderstand(request: Request, error: RequestValidationError) -> Response:  # noqa: ARG001 - FastAPI's own
    """Say what the address may name."""
    return _html(422, problem="A day is written 2026-01-31; `only` is failed or unverifiable.")


_Given = BeforeValidator(lambda value: value or None)


@app.get("/", dependencies=[Depends(requires_access_view(AccessView.WEBSITE))])
def show(
    chain: Annotated[str | None, _Given, Query()] = None,
    only: Annotated[Literal["failed", "unverifiable"] | None, _Given, Query()] = None,
    until: Annotated[date | None, _Given, Query()] = None,
) -> HTMLResponse:
    """The page."""
    asked = {"chain": chain, "only": only, "until": until}
    try:
        report = read_report(os.environ, chain, only, until)
    except NoReportError as problem:
        return _html(503, problem=str(problem))
    older = None
    if report.older is not None:
        older = urlencode({name: value for name, value in (asked | {"until": report.older}).items() if value})
    return _html(200, report=report, asked=asked, older=older)

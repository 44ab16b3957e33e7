"""The rules of the dbt project, held against its manifest: dbt-project-evaluator's, jaffle-shop's and our own.

`dbt parse` needs no database. Each rule is a function from the manifest to what breaks it, so that a failure names it.
"""

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import documentation_rules
import storage_rules
from checkout import PROJECT, Checkout
from gated import NOT_GATED

Node = dict[str, Any]
Manifest = dict[str, Any]
Rule = Callable[[Manifest], set[str]]

# How a model's name begins, by the first folder that it lies in.
PREFIXES = {"staging": ("stg_",), "intermediate": ("int_",), "marts": ("fct_", "dim_", "rpt_"), "bi": ("bi_",)}
# dbt-project-evaluator's limit of what a model joins, the gate and the log of changed days, which each names, aside.
MAX_PARENTS = 6
MACHINERY = {f"model.crypto.{name}" for name in ("int_integrity_failures", "int_changed_days", "int_chain_days")}
# A row of all that is known of a chain's day, which lies in tables of a few rows a day, each the work of its own model.
OF_MANY_PARENTS = {"fct_network_daily", "fct_valuation_daily"}
MAX_CHAINED_VIEWS = 4
# Of models, macros and sources that a reader follows from a raw row to a mart.
MAX_FILES_OF_A_WAY = 14
# A key is verified unique by one of these, or by a primary key, which PostgreSQL enforces.
UNIQUENESS_TESTS = ("unique", "unique_combination")
CHAINS = PROJECT / "transform/macros/chains.sql"
HARD_CODED = re.compile(r"\b(?:from|join)\s+\"?(?:raw_data|staging|intermediate|analytics|dq)\"?\.", re.IGNORECASE)
# What a BI tool can hold without losing a digit, or says that it loses some (docs/guides/power-bi.md).
BI_TYPES = {"bigint", "boolean", "date", "double precision", "integer", "numeric(19,4)", "text", "time", "timestamp"}
# A view of a fact, to drill through: PostgreSQL keeps the fact's key unique, and facts may lack their blocks.
DRILL_THROUGH = {"dim_block"}


@pytest.fixture(scope="module")
def manifest(checkout: Checkout) -> Manifest:
    """What dbt knows of the project."""
    checkout.make("env")
    checkout.run("meltano", "install", "utility", "dbt-postgres")
    dbt = checkout.root / ".meltano/utilities/dbt-postgres/venv/bin/dbt"
    nowhere = {f"DBT_{name}": "nobody" for name in ("HOST", "USER", "PASSWORD", "DBNAME")} | {"DBT_PORT": "1"}
    folder = checkout.root / "transform"
    checkout.run(str(dbt), "parse", "--project-dir", str(folder), "--profiles-dir", str(folder), **nowhere)
    found: Manifest = json.loads((folder / "target/manifest.json").read_text())
    return found


def models(manifest: Manifest, folder: str = "") -> list[Node]:
    """The models of a first folder, or all."""
    return [
        node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and (not folder or layer(node) == folder)
    ]


def layer(node: Node) -> str:
    """The first folder that a model lies in."""
    return str(node["fqn"][1])


def parents(manifest: Manifest, node: Node, kind: str = "") -> list[Node]:
    """What a node reads, or what of a kind it reads."""
    everything = manifest["nodes"] | manifest["sources"]
    found = [everything[name] for name in node["depends_on"]["nodes"]]
    return [parent for parent in found if not kind or parent["resource_type"] == kind]


def generic_tests(manifest: Manifest, node: Node) -> list[Node]:
    """The generic tests on a model."""
    return [
        test
        for test in manifest["nodes"].values()
        if test["resource_type"] == "test" and test.get("attached_node") == node["unique_id"]
    ]


def reads_a_source_past_staging(manifest: Manifest) -> set[str]:
    return {n["name"] for n in models(manifest) if layer(n) != "staging" and parents(manifest, n, "source")}


def staging_that_reads_no_source_alone(manifest: Manifest) -> set[str]:
    """Tables of the same columns, one of each chain with a ledger of outputs, are one in staging."""
    return {
        n["name"]
        for n in models(manifest, "staging")
        if len({of_all_utxo_chains(source["name"]) for source in parents(manifest, n, "source")}) != 1
        or parents(manifest, n, "model")
    }


def of_all_utxo_chains(table: str) -> str:
    """A table's name, without its chain if that has a ledger of outputs, by the models' own list of chains."""
    listed = re.findall(r"'name': '([\w-]+)'[^{}]*?'ledger': 'utxo'", CHAINS.read_text())
    chain = re.match(
        rf"({'|'.join(sorted((name.replace('-', '_') for name in listed), key=len, reverse=True))})_", table
    )
    return f"utxo_{table.removeprefix(chain[0])}" if chain else table


def sources_read_twice_or_never(manifest: Manifest) -> set[str]:
    readers = [source["unique_id"] for n in models(manifest) for source in parents(manifest, n, "source")]
    return {name for name in manifest["sources"] if readers.count(name) != 1}


def staging_not_named_for_its_source(manifest: Manifest) -> set[str]:
    found = set()
    for node in models(manifest, "staging"):
        for source in parents(manifest, node, "source"):
            named = f"stg_{source['source_name']}__{of_all_utxo_chains(source['name'])}"
            folder = node["fqn"][2]
            if node["name"] != named or folder != source["source_name"]:
                found.add(node["name"])
    return found


def names_not_of_their_folder(manifest: Manifest) -> set[str]:
    return {n["name"] for n in models(manifest) if not n["name"].startswith(PREFIXES[layer(n)])}


def intermediates_that_read_marts(manifest: Manifest) -> set[str]:
    return {
        n["name"]
        for n in models(manifest, "intermediate")
        if any(layer(parent) == "marts" for parent in parents(manifest, n, "model"))
    }


def models_without_parents(manifest: Manifest) -> set[str]:
    """dim_time is made of nothing, and has the gate alone for a parent; what chains are stands in macros/chains.sql."""
    return {n["name"] for n in models(manifest) if not parents(manifest, n)} - {"int_chains", "int_subsidies"}


def models_with_many_parents(manifest: Manifest) -> set[str]:
    """Unions of one kind of thing have a parent for each; a model that joins needs no more than a reader can hold."""
    return {
        n["name"]
        for n in models(manifest)
        if len([parent for parent in parents(manifest, n) if parent["unique_id"] not in MACHINERY]) > MAX_PARENTS
        and n["name"] not in OF_MANY_PARENTS
        and "unioned" not in n["name"]
        and "join" in n["raw_code"]
    }


def hard_coded_relations(manifest: Manifest) -> set[str]:
    return {n["name"] for n in models(manifest) if HARD_CODED.search(n["raw_code"])}


def stars_past_staging(manifest: Manifest) -> set[str]:
    """A star may hand on a CTE, whose columns a reader sees, and no other model."""
    star, relation = re.compile(r"^\s*(\w+\.)?\*,?\s*$|^\s(\w+\.)?\*\s", re.MULTILINE), re.compile(r"\bfrom\s+{{\s*ref")
    return {
        n["name"]
        for n in models(manifest)
        if layer(n) != "staging"
        for part in re.split(r"\bselect\b", n["raw_code"], flags=re.IGNORECASE)[1:]
        if star.search(part) and relation.search(part)
    }


def models_that_ask_the_clock(manifest: Manifest) -> set[str]:
    clock = re.compile(r"\b(now\(\)|current_date|current_timestamp|localtimestamp|clock_timestamp)", re.IGNORECASE)
    return {n["name"] for n in models(manifest) if clock.search(n["raw_code"])}


def published(manifest: Manifest) -> list[Node]:
    """What people and reports read: the marts, and the marts as BI tools take them."""
    return models(manifest, "marts") + models(manifest, "bi")


def marts_without_contract(manifest: Manifest) -> set[str]:
    return {
        n["name"]
        for n in published(manifest)
        if not n["config"]["contract"]["enforced"] or not all(c["data_type"] for c in n["columns"].values())
    }


def numerics_without_scale(manifest: Manifest) -> set[str]:
    """A bare numeric has as many digits as it likes, which no consumer is ready for."""
    return {
        f"{n['name']}.{name}"
        for n in models(manifest, "marts")
        for name, column in n["columns"].items()
        if str(column["data_type"]) in {"numeric", "decimal", "real", "float"}
    }


def marts_without_a_unique_key(manifest: Manifest) -> set[str]:
    return {
        n["name"]
        for n in models(manifest, "marts")
        if n["name"] not in DRILL_THROUGH
        and not any(test["test_metadata"]["name"] in UNIQUENESS_TESTS for test in generic_tests(manifest, n))
    }


def keys_that_lead_nowhere(manifest: Manifest) -> set[str]:
    """A mart's key of a dimension is tested against that dimension."""
    dimensions = {n["name"] for n in models(manifest, "marts") if n["name"].startswith("dim_")} - DRILL_THROUGH
    found = set()
    for node in models(manifest, "marts"):
        if node["name"] in DRILL_THROUGH:
            continue
        tested = {
            test["column_name"]
            for test in generic_tests(manifest, node)
            if test["test_metadata"]["name"] == "relationships"
        }
        for column in node["columns"]:
            leads_to = f"dim_{column.removesuffix('_key')}"
            if column.endswith("_key") and leads_to in dimensions - {node["name"]} and column not in tested:
                found.add(f"{node['name']}.{column}")
    return found


def dimensions_without_unknown(manifest: Manifest) -> set[str]:
    """A fact may miss each dimension; dim_dq_check is the list that the facts are made by, dim_date has a null day."""
    return {
        n["name"]
        for n in models(manifest, "marts")
        if n["name"].startswith("dim_")
        and n["name"] != "dim_dq_check"
        and not re.search(r"-1 as \w+_key|, -1\) as \w+_key|date_key\(", n["raw_code"])
    }


def marts_before_the_gate(manifest: Manifest) -> set[str]:
    gate = "model.crypto.int_integrity_failures"
    return {
        n["name"]
        for n in models(manifest, "marts")
        if gate not in n["depends_on"]["nodes"] and n["name"] not in NOT_GATED
    }


def marts_that_are_views(manifest: Manifest) -> set[str]:
    return {
        n["name"]
        for n in models(manifest, "marts")
        if n["config"]["materialized"] == "view" and n["name"] not in DRILL_THROUGH
    }


def long_chains_of_views(manifest: Manifest) -> set[str]:
    def views_above(node: Node) -> int:
        if node["resource_type"] != "model" or node["config"]["materialized"] != "view":
            return 0
        return 1 + max((views_above(parent) for parent in parents(manifest, node)), default=0)

    return {n["name"] for n in models(manifest) if views_above(n) > MAX_CHAINED_VIEWS}


def wrong_access(manifest: Manifest) -> set[str]:
    """Marts are public, intermediates private; both belong to a group that someone owns."""
    expected = {"staging": "protected", "intermediate": "private", "marts": "public", "bi": "public"}
    return {
        n["name"]
        for n in models(manifest)
        if n["access"] != expected[layer(n)] or (layer(n) != "staging" and n["group"] is None)
    }


def exposures_on_what_may_change(manifest: Manifest) -> set[str]:
    return {
        f"{name}: {parent['name']}"
        for name, exposure in manifest["exposures"].items()
        for parent in parents(manifest, exposure)
        if parent["access"] != "public"
    }


def marts_that_no_reader_may_read(manifest: Manifest) -> set[str]:
    return {n["name"] for n in published(manifest) if "bi_reader" not in n["config"]["grants"].get("select", [])}


def types_that_no_bi_tool_holds(manifest: Manifest) -> set[str]:
    return {
        f"{n['name']}.{name}"
        for n in models(manifest, "bi")
        for name, column in n["columns"].items()
        if column["data_type"] not in BI_TYPES
    }


def bi_models_of_more_than_one_mart(manifest: Manifest) -> set[str]:
    """They change types and units; what joins marts is a mart. Decimals come from int_chains."""
    return {
        n["name"]
        for n in models(manifest, "bi")
        if [layer(p) for p in parents(manifest, n, "model") if p["name"] != "int_chains"] != ["marts"]
    }


def bi_views_of_what_builds_replace(manifest: Manifest) -> set[str]:
    """A view goes with the table under it, so that reports would miss it until the build comes to it."""
    return {
        n["name"]
        for n in models(manifest, "bi")
        if n["config"]["materialized"] == "view"
        and any(
            parent["config"]["materialized"] != "changed_days" and parent["name"] != "int_chains"
            for parent in parents(manifest, n, "model")
        )
    }


def sources_without_freshness(manifest: Manifest) -> set[str]:
    """Blocks and prices, which every project has, stop the daily job when they are old; other tables warn."""
    found = set()
    for source in manifest["sources"].values():
        if source["source_name"] == "loader":
            continue
        limits = source["freshness"] or {}
        stops = source["name"].endswith("_blocks") or source["name"] == "market_chart"
        warns = (limits.get("warn_after") or {}).get("count")
        errs = (limits.get("error_after") or {}).get("count")
        if not source["loaded_at_query"] or not warns or bool(errs) is not stops:
            found.add(source["name"])
    return found


def packages_of_others(manifest: Manifest) -> set[str]:
    """No hub packages: a closed network has none."""
    return {macro["package_name"] for macro in manifest["macros"].values()} - {"crypto", "dbt", "dbt_postgres"}


def folders_misplaced(manifest: Manifest) -> set[str]:
    """A model's description lies beside it, one file for each in staging and marts."""
    return {
        n["name"]
        for n in models(manifest)
        if n["patch_path"] is None
        or (
            layer(n) != "intermediate"
            and Path(n["patch_path"].split("://")[1]) != Path(n["original_file_path"]).with_suffix(".yml")
        )
    }


def unit_tests_of_what_has_to_be_there(manifest: Manifest) -> set[str]:
    """Columns of `this` are asked of the database, so that `dbt build` of an empty warehouse would fail."""
    return {
        name for name, test in manifest["unit_tests"].items() if "this" in {given["input"] for given in test["given"]}
    }


RULES = [
    reads_a_source_past_staging,
    staging_that_reads_no_source_alone,
    sources_read_twice_or_never,
    staging_not_named_for_its_source,
    names_not_of_their_folder,
    intermediates_that_read_marts,
    models_without_parents,
    models_with_many_parents,
    hard_coded_relations,
    stars_past_staging,
    models_that_ask_the_clock,
    marts_without_contract,
    numerics_without_scale,
    marts_without_a_unique_key,
    keys_that_lead_nowhere,
    dimensions_without_unknown,
    marts_before_the_gate,
    marts_that_are_views,
    long_chains_of_views,
    wrong_access,
    exposures_on_what_may_change,
    marts_that_no_reader_may_read,
    types_that_no_bi_tool_holds,
    bi_models_of_more_than_one_mart,
    bi_views_of_what_builds_replace,
    sources_without_freshness,
    packages_of_others,
    folders_misplaced,
    unit_tests_of_what_has_to_be_there,
    *documentation_rules.RULES,
    *storage_rules.RULES,
]


# A rule that finds nothing might look at nothing: who notices, a model, where in it, and what stands there instead.
DAMAGES: list[tuple[Rule, str, str, object]] = [
    (reads_a_source_past_staging, "fct_blocks", "depends_on.nodes", ["source.crypto.blockchair.bitcoin_blocks"]),
    (staging_that_reads_no_source_alone, "stg_coingecko__ohlc", "depends_on.nodes", []),
    (
        staging_that_reads_no_source_alone,
        "stg_coingecko__ohlc",
        "depends_on.nodes",
        ["source.crypto.coingecko.ohlc", "model.crypto.dim_asset"],
    ),
    (sources_read_twice_or_never, "stg_coingecko__ohlc", "depends_on.nodes", []),
    (staging_not_named_for_its_source, "stg_coingecko__ohlc", "name", "stg_ohlc"),
    (staging_not_named_for_its_source, "stg_coingecko__ohlc", "fqn", ["crypto", "staging", "loader", "ohlc"]),
    (names_not_of_their_folder, "fct_blocks", "name", "blocks"),
    (intermediates_that_read_marts, "int_market_closes", "depends_on.nodes", ["model.crypto.dim_asset"]),
    (models_without_parents, "fct_blocks", "depends_on.nodes", []),
    (models_with_many_parents, "fct_blocks", "depends_on.nodes", ["model.crypto.dim_asset"] * (MAX_PARENTS + 1)),
    (hard_coded_relations, "fct_blocks", "raw_code", "select 1 from analytics.dim_asset"),
    (hard_coded_relations, "fct_blocks", "raw_code", 'select 1 from a inner join "raw_data".b on true'),
    (stars_past_staging, "fct_blocks", "raw_code", "select * from {{ ref('dim_asset') }}"),
    (stars_past_staging, "fct_blocks", "raw_code", "select\n    a.*,\n    1 as n\nfrom {{ ref('dim_asset') }} as a"),
    (models_that_ask_the_clock, "fct_blocks", "raw_code", "select now()"),
    (marts_without_contract, "fct_blocks", "config.contract.enforced", False),
    (marts_without_contract, "fct_blocks", "columns.fee_total_usd.data_type", None),
    (numerics_without_scale, "fct_blocks", "columns.fee_total_usd.data_type", "numeric"),
    (marts_without_a_unique_key, "fct_blocks", "unique_id", "model.crypto.untested"),
    (keys_that_lead_nowhere, "fct_blocks", "unique_id", "model.crypto.untested"),
    (dimensions_without_unknown, "dim_asset", "raw_code", "select 1 as asset_key"),
    (marts_before_the_gate, "fct_blocks", "depends_on.nodes", ["model.crypto.dim_asset"]),
    (marts_that_are_views, "fct_blocks", "config.materialized", "view"),
    # below two views each, so that the views above it are the fifth of a chain
    (long_chains_of_views, "int_market_closes", "depends_on.nodes", ["model.crypto.int_address_balances_ranked"]),
    (wrong_access, "fct_blocks", "access", "protected"),
    (wrong_access, "int_blocks_unioned", "access", "public"),
    (wrong_access, "fct_blocks", "group", None),
    (exposures_on_what_may_change, "bi_network_daily", "access", "private"),
    (marts_that_no_reader_may_read, "fct_blocks", "config.grants", {}),
    (marts_that_no_reader_may_read, "bi_blocks", "config.grants", {}),
    (types_that_no_bi_tool_holds, "bi_network_daily", "columns.fee_total_usd.data_type", "numeric(28,8)"),
    (bi_models_of_more_than_one_mart, "bi_blocks", "depends_on.nodes", ["model.crypto.int_blocks_unioned"]),
    (bi_models_of_more_than_one_mart, "bi_blocks", "depends_on.nodes", ["model.crypto.fct_blocks"] * 2),
    (bi_views_of_what_builds_replace, "bi_blocks", "depends_on.nodes", ["model.crypto.dim_asset"]),
    (sources_without_freshness, "blockchair.bitcoin_blocks", "loaded_at_query", None),
    (sources_without_freshness, "blockchair.bitcoin_blocks", "freshness", None),
    (sources_without_freshness, "blockchair.bitcoin_blocks", "freshness.error_after.count", None),
    (sources_without_freshness, "blockchair.bitcoin_outputs", "freshness.error_after.count", 72),
    (sources_without_freshness, "coingecko.market_chart", "freshness.error_after.count", None),
    (sources_without_freshness, "coingecko.market_chart", "freshness.warn_after.count", None),
    (packages_of_others, "utc_date", "package_name", "dbt_utils"),
    (folders_misplaced, "fct_blocks", "patch_path", None),
    (folders_misplaced, "fct_blocks", "patch_path", "crypto://models/marts/_marts.yml"),
    (
        unit_tests_of_what_has_to_be_there,
        "int_price_rows_seen.only_what_changed_of_a_dates_rows_is_logged",
        "given",
        [{"input": "this", "rows": []}],
    ),
    *documentation_rules.DAMAGES,
    *storage_rules.DAMAGES,
]


# What is right at the edge of a limit, likewise.
ALLOWED: list[tuple[Rule, str, str, object]] = [
    (models_with_many_parents, "fct_blocks", "depends_on.nodes", ["model.crypto.dim_asset"] * MAX_PARENTS),
    # the views above it are the fourth
    (long_chains_of_views, "int_market_closes", "depends_on.nodes", ["model.crypto.int_blocks_unioned"]),
]


def changed(manifest: Manifest, name: str, place: str, instead: object) -> Manifest:
    """A manifest in which something else stands at a place in a model, seed, source, macro or metric of ours."""
    other = copy.deepcopy(manifest)
    kinds = (
        *(("model", "nodes"), ("seed", "nodes"), ("source", "sources")),
        *(("macro", "macros"), ("metric", "metrics"), ("unit_test", "unit_tests")),
    )
    part: Any = next(
        other[where][f"{kind}.crypto.{name}"] for kind, where in kinds if f"{kind}.crypto.{name}" in other[where]
    )
    *path, last = place.split(".")
    for step in path:
        part = part[step]
    assert part[last] != instead
    part[last] = instead
    return other


@pytest.mark.parametrize(("rule", "name", "place", "instead"), DAMAGES)
def test_the_rule_sees_what_breaks_it(manifest: Manifest, rule: Rule, name: str, place: str, instead: object) -> None:
    assert rule(changed(manifest, name, place, instead)) > rule(manifest)


@pytest.mark.parametrize(("rule", "name", "place", "instead"), ALLOWED)
def test_the_rule_allows_what_is_at_its_limit(
    manifest: Manifest, rule: Rule, name: str, place: str, instead: object
) -> None:
    assert rule(changed(manifest, name, place, instead)) == rule(manifest)


def test_every_rule_is_seen_to_see_something() -> None:
    assert {rule.__name__ for rule in RULES} == {rule.__name__ for rule, *_ in DAMAGES}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_no_model_breaks_the_rule(manifest: Manifest, rule: Rule) -> None:
    assert rule(manifest) == set()


def test_the_connection_file_names_a_server_and_no_secret(checkout: Checkout) -> None:
    (connection,) = json.loads((checkout.root / "analyze/powerbi/crypto.pbids").read_text())["connections"]
    assert connection["details"]["protocol"] == "postgresql"
    assert set(connection["details"]["address"]) == {"server", "database"}
    assert connection["mode"] == "Import"


def test_the_guide_names_each_table_that_a_report_reads(manifest: Manifest, checkout: Checkout) -> None:
    guide = (checkout.root / "docs/guides/power-bi.md").read_text()
    read = {parent["name"] for exposure in manifest["exposures"].values() for parent in parents(manifest, exposure)}
    assert {name for name in read if f"`{name}`" not in guide} == set()


def longest_way(manifest: Manifest, start: str, end: str) -> list[str]:
    """The most models, the gate and the log of changed days aside, that lead from one to another."""
    if start == end:
        return [end]
    ways = [
        longest_way(manifest, start, parent["name"])
        for parent in parents(manifest, manifest["nodes"][f"model.crypto.{end}"], "model")
        if parent["unique_id"] not in MACHINERY
    ]
    way = max(ways, key=len, default=[])
    return [*way, end] if way else []


def test_the_page_of_a_rows_way_names_its_models_in_order(manifest: Manifest, checkout: Checkout) -> None:
    page = (checkout.root / "docs/concepts/a-row-from-file-to-mart.md").read_text()
    named = re.findall(r"\(\.\./\.\./transform/models/\S+/(\w+)\.sql\)", page)
    assert named == longest_way(manifest, "stg_blockchair__utxo_outputs", "fct_network_daily")
    assert page.count("](../../transform/") <= MAX_FILES_OF_A_WAY

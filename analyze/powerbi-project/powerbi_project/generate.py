"""Write the model's generated files, and report where the project differs from what they should be.

Written by hand: `database.tmdl`, `expressions.tmdl`, and the tables whose name ends in "Measures". The rest of
`definition/` follows from dbt and is overwritten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from powerbi_project.tmdl import quote, relationships_file, table_file

if TYPE_CHECKING:
    from pathlib import Path

    from powerbi_project.contract import Contract

MEASURES = "* Measures.tmdl"
_PARAMETERS = ("Server", "Database", "RangeStart", "RangeEnd")


def generated_files(contract: Contract, definition: Path) -> dict[Path, str]:
    """Path and content of each generated file; the tables of measures in `definition` take part in the model."""
    tables = definition / "tables"
    files = {tables / f"{table.name}.tmdl": table_file(table) for table in contract.tables}
    names = sorted({table.name for table in contract.tables} | {path.stem for path in tables.glob(MEASURES)})
    files[definition / "relationships.tmdl"] = relationships_file(contract)
    files[definition / "model.tmdl"] = _model_file(names)
    return files


def write(contract: Contract, definition: Path) -> tuple[int, list[Path]]:
    """Write what is generated, delete tables that dbt no longer has; returns how many are new, and what was deleted."""
    files, written = generated_files(contract, definition), 0
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != content:
            path.write_text(content, encoding="utf-8", newline="\n")
            written += 1
    left = _leftovers(files, definition)
    for path in left:
        path.unlink()
    return written, left


def drift(contract: Contract, definition: Path) -> list[str]:
    """Where the files that stand there are not what dbt's models ask for; empty where they agree."""
    files, found = generated_files(contract, definition), []
    for path, content in sorted(files.items()):
        if not path.exists():
            found.append(f"{path.name} is missing")
            continue
        there = path.read_text(encoding="utf-8").splitlines()
        wanted = content.splitlines()
        for number, (line, should) in enumerate(zip(there, wanted, strict=False), 1):
            if line != should:
                found.append(f"{path.name}:{number} has {line.strip()!r} in place of {should.strip()!r}")
                break
        else:
            if len(there) != len(wanted):
                found.append(f"{path.name} has {len(there)} lines in place of {len(wanted)}")
    return found + [f"{path.name} is a table that dbt does not have" for path in _leftovers(files, definition)]


def _leftovers(files: dict[Path, str], definition: Path) -> list[Path]:
    tables = definition / "tables"
    return sorted(set(tables.glob("*.tmdl")) - set(tables.glob(MEASURES)) - set(files))


def _model_file(tables: list[str]) -> str:
    order = ", ".join(f'"{name}"' for name in (*_PARAMETERS, *tables))
    lines = [
        "model Model",
        "\tculture: en-US",
        "\tdefaultPowerBIDataSourceVersion: powerBI_V3",
        "\tdiscourageImplicitMeasures",
        "\tsourceQueryCulture: en-US",
        "\tdataAccessOptions",
        "\t\tlegacyRedirects",
        "\t\treturnErrorValuesAsNull",
        "",
        "annotation __PBI_TimeIntelligenceEnabled = 0",
        "",
        f"annotation PBI_QueryOrder = [{order}]",
        "",
        *(f"ref table {quote(name)}" for name in tables),
    ]
    return "\n".join(lines) + "\n"

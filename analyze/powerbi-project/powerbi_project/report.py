"""Read a report's parts (PBIR): its pages, visuals, and the fields that they show or filter by."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from powerbi_project.errors import ProjectError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Part = dict[str, Any]


@dataclass(frozen=True)
class Field:
    """A field of the model that something in a report names."""

    kind: str  # Column or Measure
    table: str
    name: str

    def __str__(self) -> str:
        """As DAX names it, the table in front."""
        return f"{self.table}[{self.name}]"


@dataclass(frozen=True)
class Visual:
    """A visual."""

    name: str
    kind: str
    wells: tuple[str, ...]  # those that fields lie in, such as Category
    shown: tuple[Field, ...]
    named: tuple[Field, ...]  # also in filters and sorting
    position: dict[str, float]
    texts: tuple[str, ...]  # the words of a text box


@dataclass(frozen=True)
class Page:
    """A page."""

    name: str
    display_name: str
    part: Part
    named: tuple[Field, ...]  # fields that its own filters name
    visuals: tuple[Visual, ...] = field(default_factory=tuple)


def read_report(report: Path) -> list[Page]:
    """The pages of a report's folder (`*.Report`), in its own order.

    Raises:
        ProjectError: A file is not JSON, or the pages listed are not the pages there.
    """
    pages = report / "definition/pages"
    order: list[str] = read_json(pages / "pages.json")["pageOrder"]
    there = {path.parent.name for path in pages.glob("*/page.json")}
    if set(order) != there:
        odd = ", ".join(sorted(set(order) ^ there))
        raise ProjectError(f"pages.json lists other pages than there are: {odd}")
    return [_page(pages / name) for name in order]


def read_json(path: Path) -> Any:  # noqa: ANN401 - JSON is anything
    """The content of a JSON file.

    Raises:
        ProjectError: It is not there, or is no JSON; the message says where.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ProjectError(f"{path} is missing") from None
    except ValueError as error:
        raise ProjectError(f"{path} is no JSON: {error}") from None


def _page(folder: Path) -> Page:
    part = read_json(folder / "page.json")
    visuals = [_visual(path) for path in sorted(folder.glob("visuals/*/visual.json"))]
    own = {key: value for key, value in part.items() if key != "visuals"}
    return Page(part["name"], part["displayName"], part, tuple(dict.fromkeys(_fields(own))), tuple(visuals))


def _visual(path: Path) -> Visual:
    part = read_json(path)
    inner = part.get("visual", {})
    wells = inner.get("query", {}).get("queryState", {})
    shown = [
        found for well in wells.values() for projection in well["projections"] for found in _fields(projection["field"])
    ]
    texts = [
        run["value"]
        for general in inner.get("objects", {}).get("general", [])
        for paragraph in general["properties"].get("paragraphs", [])
        for run in paragraph["textRuns"]
    ]
    return Visual(
        part["name"],
        str(inner.get("visualType", "")),
        tuple(wells),
        tuple(shown),
        tuple(dict.fromkeys(_fields(part))),
        part["position"],
        tuple(texts),
    )


def _fields(part: Any, sources: dict[str, str] | None = None) -> Iterator[Field]:  # noqa: ANN401 - any JSON
    """The fields that a part names anywhere; filters name tables by an alias that stands beside them."""
    sources = sources or {}
    if isinstance(part, list):
        for item in part:
            yield from _fields(item, sources)
    elif isinstance(part, dict):
        if isinstance(part.get("From"), list):
            sources = sources | {one["Name"]: one["Entity"] for one in part["From"]}
        for key, value in part.items():
            if key in {"Column", "Measure"} and isinstance(value, dict) and "Property" in value:
                reference = value["Expression"]["SourceRef"]
                table = reference.get("Entity") or sources.get(reference.get("Source"), str(reference.get("Source")))
                yield Field(key, table, value["Property"])
            else:
                yield from _fields(value, sources)

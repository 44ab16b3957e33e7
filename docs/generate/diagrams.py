"""Mermaid's entity diagrams as tables: the site draws none, since Mermaid's program would come from another machine."""

import re

from texts import table

_DIAGRAM = re.compile(r"^```mermaid\nerDiagram\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
_JOIN = re.compile(r"^ *(\w+) \|\|--o\{ (\w+) : (\w+)$", re.MULTILINE)


def as_tables(markdown: str) -> str:
    """A page's text, each entity diagram replaced by a table: a row for each table that joins others, with its keys."""

    def drawn(found: re.Match[str]) -> str:
        joins: dict[str, list[str]] = {}
        for to, name, key in _JOIN.findall(found[1]):
            joins.setdefault(name, []).append(f"`{to}` by `{key}`")
        return table(["table", "joins"], [[f"`{name}`", ", ".join(keys)] for name, keys in joins.items()])

    return _DIAGRAM.sub(drawn, markdown)

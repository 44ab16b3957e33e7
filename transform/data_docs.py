"""Writes the data docs, a site of plain files, from what `dbt docs generate` left: `meltano run data-docs` does both.

    index.html      the marts, each with its way into the other two
    docs.html       dbt's docs site
    lineage.html    dbt-colibri's graph: where each column comes from
    lineage.json    the same for programs

The site opens without a server. It names no folder of the machine it was made on, and a browser that shows it asks
nobody for anything.
"""

import html
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

# The pages bring all they need, and two of them code that could report their use: the browser has to refuse.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' blob:; worker-src blob:; style-src 'unsafe-inline'; "
    "img-src data: blob:; font-src data:; base-uri 'none'; form-action 'none'"
)
# Buttons of colibri that lead to its makers' cloud: diagrams, saved views, and the invitation to go there.
OFFERS = ("erd", "saved", "cta")
HIDDEN = "<style>" + "".join(f'a[class~="group/{name}"]{{display:none!important}}' for name in OFFERS) + "</style>"
# Colibri's two ways of calling home: what its page reports, and its question for a newer version of itself.
QUIET = {"DO_NOT_TRACK": "1", "DBT_COLIBRI_NO_VERSION_CHECK": "1"}
# Where a node's files lie on this machine.
FOLDERS = ("root_path", "compiled_path", "build_path")
STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
    "td,th{text-align:left;vertical-align:top;padding:.3em .8em .3em 0;border-top:1px solid #ccc}td{white-space:nowrap}"
    "td:last-child{white-space:normal}"
)


def fail(sentence: str) -> NoReturn:
    """Print one sentence and leave with status 1."""
    sys.exit(f"error: {sentence}")


def read(path: Path) -> dict[str, Any]:
    """What dbt wrote about the project."""
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        fail(f"dbt's {path.name} cannot be read ({error}); `meltano run data-docs` has dbt write it first")
    return found


def compact(content: object) -> str:
    """JSON that can stand within a script: there `<` may begin its end, or a comment that hides its end."""
    return json.dumps(content, separators=(",", ":")).replace("<", "\\u003c")


def closed(page: str) -> str:
    """A page that may not ask for anything outside of it, nor offers what only its makers' cloud has."""
    return page.replace("<head>", f'<head><meta http-equiv="Content-Security-Policy" content="{POLICY}">{HIDDEN}', 1)


def docs(template: Path, manifest: dict[str, Any], catalog: dict[str, Any]) -> str:
    """The docs site of dbt with its data within, as `dbt docs generate --static` makes it."""
    given = {"MANIFEST": manifest, "CATALOG": catalog}
    # both at once: what one of them says is not looked at for the other's place
    marks = re.compile(r'"(MANIFEST|CATALOG)\.JSON INLINE DATA"')
    return marks.sub(lambda mark: compact(given[mark[1]]), template.read_text())


def trace(manifest: dict[str, Any], catalog: dict[str, Any]) -> tuple[str, dict[str, Any], list[str]]:
    """Let colibri trace the columns: its page, its data, and a line for each thing that it could not read."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "manifest.json").write_text(json.dumps(manifest))
        (folder / "catalog.json").write_text(json.dumps(catalog))
        colibri = str(Path(sys.executable).with_name("colibri"))
        files = ("--manifest", "manifest.json", "--catalog", "catalog.json", "--output-dir", "site")
        done = subprocess.run(
            [colibri, "generate", "--disable-telemetry", *files],
            cwd=folder,
            env=os.environ | QUIET,
            capture_output=True,
            text=True,
            check=False,
        )
        said = done.stdout + done.stderr
        if done.returncode != 0:
            fail(f"colibri stopped: {said.strip().splitlines()[-1]}")
        # It goes on without a model or a column that it cannot read, or that is not built.
        lost = [line.removeprefix("[ERROR] ") for line in said.splitlines() if line.startswith("[ERROR] ")]
        return (folder / "site/index.html").read_text(), read(folder / "site/colibri-manifest.json"), lost


def is_traced(lineage: dict[str, Any], node: str, column: str) -> bool:
    """Whether a column leads back to a column of a raw table or a seed."""
    parents = lineage["lineage"]["parents"]
    seen, ahead = set(), [(node, column)]
    while ahead:
        here = ahead.pop()
        if here[0].startswith(("source.", "seed.")):
            return True
        if here not in seen:
            seen.add(here)
            ahead += [(one["dbt_node"], one["column"]) for one in parents.get(here[0], {}).get(here[1], [])]
    return False


def sentence(description: str) -> str:
    """The first sentence of a description."""
    first = html.escape(re.split(r"(?<=\.)\s", description.strip(), maxsplit=1)[0])
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", first)


def front(manifest: dict[str, Any], traced: tuple[str, ...]) -> str:
    """The page to begin with."""
    marts = {node["name"]: node for node in manifest["nodes"].values() if node.get("access") == "public"}
    rows = "\n".join(
        f"<tr><td>{html.escape(name)}</td>"
        f'<td><a href="docs.html#!/model/{quote(node["unique_id"])}">columns</a></td>'
        f'<td><a href="lineage.html?model={quote(node["unique_id"])}&amp;parents=0&amp;children=0">lineage</a></td>'
        f"<td>{sentence(node['description'])}</td></tr>"
        for name, node in sorted(marts.items())
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{html.escape(manifest["metadata"]["project_name"])}: data docs</title>
<style>{STYLE}</style>
</head>
<body>
<h1>Data docs</h1>
<ul>
<li><a href="docs.html">Docs</a>: each model and column with type and description, each metric, each check, the pages
that read a mart.</li>
<li><a href="lineage.html">Lineage</a>: where each column comes from, and goes to. Click a column, then right-click it:
<em>Show full column lineage</em>. <a href="lineage.json">For programs</a>.</li>
</ul>
<p>{"<br>".join(map(html.escape, traced))}</p>
<table>
<tr><th>mart</th><th></th><th></th><th></th></tr>
{rows}
</table>
</body>
</html>
"""


def main() -> None:
    """Write the site beside what dbt left."""
    target = Path(__file__).absolute().parent / os.environ.get("DBT_TARGET_PATH", "target")
    manifest, catalog = read(target / "manifest.json"), read(target / "catalog.json")
    nodes = [*manifest["nodes"].values(), *manifest["sources"].values()]
    models = [node for node in nodes if node["resource_type"] == "model"]
    if not all(node.get("compiled_code") for node in models):
        fail("dbt has not compiled every model; `meltano run data-docs` lets it")
    for node in nodes:
        for key in FOLDERS:
            node.pop(key, None)
    page, lineage, lost = trace(manifest, catalog)
    columns = [
        (name, column.lower())
        for name, node in catalog["nodes"].items()
        if name.startswith("model.")
        for column in node["columns"]
    ]
    found = sum(is_traced(lineage, *column) for column in columns)
    rest = "; the others are made of no column: constants, counts of rows, sequences"
    count = f"Of {len(columns)} columns of {len(models)} models, {found} are traced back to a raw table or a seed"
    traced = (f"{count}{'' if lost else rest}.", *(f"warning: {line}" for line in lost))
    site = target / "data-docs"
    site.mkdir(exist_ok=True)
    pages = {
        "docs.html": docs(target / "index.html", manifest, catalog),
        "lineage.html": page,
        "index.html": front(manifest, traced),
    }
    (site / "lineage.json").write_text(compact(lineage))
    for name, text in pages.items():
        (site / name).write_text(closed(text))
    print(*traced, site / "index.html", sep="\n")


if __name__ == "__main__":
    main()

"""The page of settings: of each plugin, out of the files that define it and what taps and loader say themselves."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from links import PROJECT
from texts import page, table


def plugins() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each plugin of the project, in the order of `meltano.yml`, with the file that defines it."""
    for path in yaml.safe_load((PROJECT / "meltano.yml").read_text())["include_paths"]:
        for kind in yaml.safe_load((PROJECT / path).read_text())["plugins"].values():
            for plugin in kind:
                yield path, plugin


def variable(plugin: str, setting: str) -> str:
    """The environment variable that Meltano reads for a setting."""
    return re.sub(r"\W", "_", f"{plugin}_{setting}").upper()


def _default(value: object) -> str:
    """A default in code; nothing where there is none."""
    if value is None:
        return ""
    return f"`{value}`" if isinstance(value, str) else f"`{json.dumps(value)}`"


def _rows(plugin: dict[str, Any], about: Mapping[str, Any]) -> Iterator[list[str]]:
    """A plugin's settings, each with its variable in the same cell; then what it does, and its default."""
    named = {setting["name"]: setting for setting in plugin.get("settings", [])}
    for name in [*named, *(name for name in about if name not in named)]:
        setting, said = named.get(name, {}), about.get(name, {})
        what = said.get("description") or setting.get("description") or setting.get("label") or ""
        what += "." if what and not what.endswith(".") else ""
        secret = " A secret." if setting.get("sensitive") else ""
        default = _default(setting.get("value", said.get("default")))
        allowed = ", ".join(f"`{word}`" for word in said.get("enum", []))
        yield [
            f"`{name}` <br>`{variable(plugin['name'], name)}`",
            f"{what}{secret}"
            + (f" One of {allowed}." if allowed else "")
            + (f" Default: {default}." if default else ""),
        ]


def _section(file: str, plugin: dict[str, Any], about: Mapping[str, Any]) -> str:
    """A plugin: where it is defined, its settings, its commands, what a variant changes."""
    parts = [f"## {plugin['name']}", f"Defined in `{file}`."]
    if parent := plugin.get("inherit_from"):
        parts.append(f"A variant of `{parent}` with its own bookmarks. It has the same settings; changed are:\n")
        changed = plugin.get("config", {}) | ({"select": plugin["select"]} if "select" in plugin else {})
        parts.append(table(["setting", "value"], [[f"`{name}`", _default(value)] for name, value in changed.items()]))
    elif rows := list(_rows(plugin, about)):
        parts.append("\n" + table(["setting, variable", "what it does"], rows))
    if commands := plugin.get("commands"):
        said = {name: one if isinstance(one, dict) else {"args": one} for name, one in commands.items()}
        rows = [[f"`meltano invoke {plugin['name']}:{name}`", one.get("description", "")] for name, one in said.items()]
        parts.append("\n" + table(["command", "what it does"], rows))
    return "\n".join(parts)


def pages(introspected: Mapping[str, Any]) -> dict[str, str]:
    """The page, by its name."""
    about = introspected["settings"]
    sections = [_section(file, plugin, about.get(plugin["name"], {})) for file, plugin in plugins()]
    text = page(
        "Settings",
        "Look up a setting of a plugin here. Set it in `.env` by its variable, or with `meltano config set PLUGIN"
        " SETTING VALUE`. Variables of `.env` that belong to no plugin are described in `.env.example`.",
        *sections,
        read_next="[Commands](commands.md) lists the programs, [Going live](../guides/going-live.md) the settings that"
        " decide what a run costs.",
    )
    return {"reference/settings.md": text}

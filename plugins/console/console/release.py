"""Lays a project out on a volume, so that an image stays read-only and edits outlive it.

A release is this repository with its environments installed, as an image holds it. A deployment's project folder has
copies of the files that `meltano schedule`, `meltano config` and the like rewrite, and links to everything else.
"""

from __future__ import annotations

import fcntl
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from console.errors import ConsoleError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Say: TypeAlias = Callable[[str], None]

RELEASE = Path(__file__).resolve().parents[3]
"""The checkout that this package was installed from."""
_OWN_TO_EACH_DEPLOYMENT = {".env", ".git", ".meltano", ".release", ".state", ".venv-dev"}
_ABSENT = object()


def lay_out(release: Path, project: Path, say: Say) -> None:
    """Bring a project folder up to a release; what was edited there stays edited.

    A file that nobody edited becomes the release's. An edited one gets the release's changes merged in; where both
    changed the same value, the edit wins and is named. Links follow the release.

    Args:
        release: The checkout to serve, never written to.
        project: The folder to lay out; made when absent.
        say: Takes a sentence for each edited file that the release changes.

    Raises:
        ConsoleError: A file is no YAML, or the folder cannot be written.
    """
    try:
        project.mkdir(parents=True, exist_ok=True)
        with _alone(project / ".release"):
            editable = _editable(release)
            for name in editable:
                _bring_up(name, release, project, say)
            _link_folder(release, project, "", editable)
            _link_plugins(release, project)
    except OSError as error:
        raise ConsoleError(
            f"The project folder {project} could not be laid out: {error}. This user must be able to write it."
        ) from error


def _editable(release: Path) -> list[str]:
    """The files that Meltano rewrites: meltano.yml and those that it includes."""
    patterns = _read(release / "meltano.yml").get("include_paths")
    if not isinstance(patterns, list):
        return ["meltano.yml"]
    return ["meltano.yml", *(str(path.relative_to(release)) for name in patterns for path in release.glob(name))]


def _bring_up(name: str, release: Path, project: Path, say: Say) -> None:
    """Bring one file up; `.release` keeps it as the last release had it, to tell edits from changes."""
    new, mine, base = release / name, project / name, project / ".release" / name
    if not mine.exists() or not base.exists() or mine.read_bytes() == base.read_bytes():
        if not mine.exists() or base.exists():
            _copy(new, mine)
    elif new.read_bytes() != base.read_bytes():
        merged, kept = _read(new), list[str]()
        merge(_read(base), _read(mine), merged, "", kept)
        temporary = mine.with_suffix(".new")
        with temporary.open("w") as stream:
            _yaml().dump(merged, stream)
        temporary.replace(mine)
        say(f"{name} was edited here, and this release changes it: merged.")
        for place in kept:
            say(f"{name}: {place} was changed by both; the edit was kept, the release's value is in {new}.")
    _copy(new, base)


def merge(base: object, mine: object, new: object, place: str, kept: list[str]) -> object:
    """Merge edits into a new version, in place where it is a mapping or a list of named entries.

    Args:
        base: The version that was edited.
        mine: That version with edits.
        new: The new version, which takes the edits.
        place: Where in the file this is, for messages.
        kept: Takes the places that both changed; the edit stands there.

    Returns:
        The merged value.
    """
    if mine == base:
        return new
    if new in (base, mine):
        return mine
    if isinstance(mine, dict) and isinstance(new, dict):
        _merge_entries(base if isinstance(base, dict) else {}, mine, new, place, kept)
        return new
    named = [_by_name(part) for part in (base, mine, new)]
    if isinstance(new, list) and all(part is not None for part in named):
        old, edited, wanted = (part or {} for part in named)
        _merge_entries(old, edited, wanted, place, kept)
        new[:] = list(wanted.values())
        return new
    kept.append(place)
    return mine


def _merge_entries(
    base: dict[str, object], mine: dict[str, object], new: dict[str, object], place: str, kept: list[str]
) -> None:
    for key in [*new, *(key for key in mine if key not in new)]:
        where = f"{place}.{key}".removeprefix(".")
        merged = merge(base.get(key, _ABSENT), mine.get(key, _ABSENT), new.get(key, _ABSENT), where, kept)
        if merged is _ABSENT:
            new.pop(key, None)
        elif merged is not new.get(key, _ABSENT):
            new[key] = merged


def _by_name(entries: object) -> dict[str, object] | None:
    """A list of entries that have names, by name; None when it is another kind of list."""
    if entries is _ABSENT:
        return {}
    if not isinstance(entries, list) or not all(isinstance(entry, dict) and "name" in entry for entry in entries):
        return None
    return {str(entry["name"]): entry for entry in entries}


def _link_folder(release: Path, project: Path, folder: str, editable: list[str]) -> None:
    """Link what a folder of the release holds; a folder with editable files becomes one of its own."""
    here = project / folder
    here.mkdir(exist_ok=True)
    for link in here.iterdir():
        if link.is_symlink() and not link.exists():
            link.unlink()
    for item in sorted((release / folder).iterdir()):
        name = str(item.relative_to(release))
        if name in editable or name in _OWN_TO_EACH_DEPLOYMENT:
            continue
        if any(other.startswith(f"{name}/") for other in editable):
            _link_folder(release, project, name, editable)
        else:
            _link(item, project / name)


def _link_plugins(release: Path, project: Path) -> None:
    """Link the folders that hold the plugins' environments."""
    (project / ".meltano").mkdir(exist_ok=True)
    for kind in ("extractors", "loaders", "mappers", "utilities"):
        if (release / ".meltano" / kind).is_dir():
            _link(release / ".meltano" / kind, project / ".meltano" / kind)


def _link(target: Path, link: Path) -> None:
    if link.is_symlink():
        if link.readlink() == target:
            return
        link.unlink()
    elif link.exists():
        return  # somebody's own file or folder of that name
    link.symlink_to(target)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other containers of the same volume waiting."""
    folder.mkdir(mode=0o700, exist_ok=True)
    with (folder / "lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _copy(source: Path, target: Path) -> None:
    """Replace a file in one step, so that a reader sees the old one or the new one; an equal one is not touched."""
    if target.exists() and target.read_bytes() == source.read_bytes():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_suffix(".new")
    shutil.copyfile(source, temporary)
    temporary.replace(target)


def _yaml() -> YAML:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 120
    return yaml


def _read(path: Path) -> dict[str, object]:
    try:
        content: dict[str, object] = _yaml().load(path) or {}
    except YAMLError as error:
        reason = " ".join(str(error).split())
        raise ConsoleError(f"{path} is no YAML: {reason}. Mend it, or delete it to take the release's.") from error
    return content

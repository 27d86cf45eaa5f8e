"""`config.toml`: what is meant where a command says nothing, and endpoints by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from g4fsdk._core.flow.addresses import checked_url
from g4fsdk._core.model.errors import UsageError
from g4fsdk.cli._kept.folder import home, write_privately

#: The tables and names that lead to a setting.
Names: TypeAlias = tuple[str, ...]

_ENDPOINT_NAME = r"[A-Za-z0-9_-]+"
_VARIABLE = r"[A-Za-z_][A-Za-z0-9_]*"
_RANDOM = r"(?=.*[a-z])(?=.*[0-9]).{20,}"  # no key is named so, but keys look so


class Endpoint(msgspec.Struct, frozen=True):
    """Somebody to ask, by a name of the user's. *api_key_env* is the variable that holds the key."""

    provider: str | None = None
    base_url: str | None = None
    model: str | None = None
    api_key_env: str | None = None


class Defaults(msgspec.Struct, frozen=True):
    """What is meant where neither a command, nor an endpoint, nor the environment says anything."""

    provider: str | None = None
    model: str | None = None
    base_url: str | None = None
    log: bool = True


class Config(msgspec.Struct, frozen=True):
    """The settings of a user."""

    defaults: Defaults = Defaults()
    endpoints: Mapping[str, Endpoint] = {}

    @classmethod
    def load(cls) -> Config:
        """Return the user's settings; without a file there are none. Raises UsageError for a wrong one."""
        document = written()
        endpoints = {name: Endpoint(**one) for name, one in document.get("endpoints", {}).items()}
        return cls(Defaults(**document.get("defaults", {})), endpoints)

    def endpoint(self, name: str) -> Endpoint:
        """Return the endpoint *name*. Raises UsageError where there is none."""
        found = self.endpoints.get(name)
        if found is None:
            known = ", ".join(self.endpoints) or "none yet"
            raise UsageError(
                f"there is no endpoint {name!r}; known: {known}; "
                f"`g4fsdk config set endpoints.{name}.base_url URL` makes it"
            )
        return found


def config_path() -> Path:
    return home() / "config.toml"


def written() -> dict[str, Any]:
    """Return what the file says, as it says it. Raises UsageError, with the line, for what can't be."""
    return checked(read_text(config_path()))


def checked(text: str) -> dict[str, Any]:
    """Return the settings in *text*. Raises UsageError, with the line, for what can't be."""
    document = _document(text)
    for names, value in settings_in(document):
        problem = problem_of(names, value)
        if problem:
            place = f"{config_path()}, line {_line_of(names, text)}"
            raise UsageError(f"{place}: {'.'.join(names)}: {problem}")
    return document


def read_text(path: Path) -> str:
    """Return what *path* holds, "" where there is none. Raises UsageError for what is no text."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):  # the home of who has none may be /dev/null
        return ""
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path}, line {line}: it is not UTF-8 text") from error


def _document(text: str) -> dict[str, Any]:
    if not text:
        return {}
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"\(at (?:line (\d+), column \d+|end of document)\)", str(error))
        line = int(found[1]) if found and found[1] else text.count("\n") + 1
        what = str(error).partition(" (at ")[0]
        raise UsageError(f"{config_path()}, line {line}: it is no TOML: {what}") from error


def _line_of(names: Names, text: str) -> int:
    """Return the line of *text* from which on there is something called *names*."""
    lines = text.split("\n")
    return next(number for number in range(1, len(lines) + 1) if _has("\n".join(lines[:number]), names))


def _has(text: str, names: Names) -> bool:
    import tomllib

    try:
        found: Any = tomllib.loads(text)
    except tomllib.TOMLDecodeError:  # in the middle of a value
        return False
    for name in names:
        if not isinstance(found, dict) or name not in found:
            return False
        found = found[name]
    return True


# --- Changing one ---


def store(name: str, text: str) -> None:
    """Set the setting *name* to what *text* says, or take it out where that is nothing. Comments stay.

    Raises:
        UsageError: There is no such setting, or it can't be this.
    """
    names = tuple(name.split("."))
    value = _FLAGS.get(text.lower(), text) if names == ("defaults", "log") else text
    problem = problem_of(names, value) if text else ""
    if problem:
        raise UsageError(f"{name}: {problem}")
    old = read_text(config_path())
    checked(old)
    if not text and not _has(old, names):
        raise UsageError(f"{name}: it is not set")
    new = _changed(old, names, value)
    try:
        checked(new)
    except UsageError as error:  # tables and dotted names that do not mix
        raise UsageError(f"{config_path()}: it is laid out so that only you can change it: {name}") from error
    write_privately(config_path(), new)


def _changed(text: str, names: Names, value: object) -> str:
    """Return *text* with *value* as *names*, or without it where it is ""."""
    import tomlkit.items

    document = tomlkit.parse(text)
    table: Any = document
    for at, name in enumerate(names[:-1]):
        if name not in table:
            inline = isinstance(table, tomlkit.items.InlineTable)
            outer = at < len(names) - 2
            table[name] = tomlkit.inline_table() if inline else tomlkit.table(is_super_table=outer)
        table = table[name]
    if value == "":
        del table[names[-1]]
    else:
        table[names[-1]] = value
    return document.as_string()


_FLAGS = {"true": True, "on": True, "yes": True, "false": False, "off": False, "no": False}


# --- What a setting may be ---


def problem_of(names: Names, value: object) -> str:
    """Return what is wrong with a setting called *names* that is *value*, "" for nothing."""
    match names:
        case ("defaults", str(name)) if name in _DEFAULTS:
            return _DEFAULTS[name](value)
        case ("endpoints", str(endpoint), str(name)) if name in _ENDPOINT:
            if re.fullmatch(_ENDPOINT_NAME, endpoint) is None:
                return f"the endpoint {endpoint!r} may be named with letters, digits, - and _ only"
            return _ENDPOINT[name](value)
    if re.search(r"key|token|secret|password", names[-1], re.IGNORECASE):
        return "no key stands in this file: endpoints.NAME.api_key_env takes the name of its variable"
    return f"no such setting; known: {', '.join(known_settings())}"


def known_settings() -> Iterator[str]:
    """Give the names of all settings."""
    yield from (f"defaults.{name}" for name in _DEFAULTS)
    yield from (f"endpoints.NAME.{name}" for name in _ENDPOINT)


def settings_in(value: Any, names: Names = ()) -> Iterator[tuple[Names, Any]]:
    """Give each setting of a document, and what stands there and is none."""
    is_table = names in ((), ("defaults",), ("endpoints",)) or (len(names) == 2 and names[0] == "endpoints")
    if is_table and isinstance(value, dict):
        for name, inner in value.items():
            yield from settings_in(inner, (*names, name))
    else:
        yield names, value


def _text(value: object) -> str:
    match value:
        case str() if not value.strip():
            return "it is empty"
        case str():
            return "this looks like a key, and keys never stand in this file" if _looks_secret(value) else ""
    return f"it takes a text, not {value!r}"


def _looks_secret(text: str) -> bool:
    from g4fsdk.testing._secrets.find import edits_in
    from g4fsdk.testing._secrets.known import KnownSecrets

    return bool(edits_in(text.encode(), KnownSecrets()))


def _provider(value: object) -> str:
    from g4fsdk.providers import PROVIDERS

    problem = _text(value)
    if problem or value in PROVIDERS:
        return problem
    return f"unknown provider {value!r}; known: {', '.join(PROVIDERS)}"


def _base_url(value: object) -> str:
    problem = _text(value)
    if problem or not isinstance(value, str):
        return problem
    try:
        checked_url(value)
    except UsageError as error:
        return error.message.replace("base_url", "it", 1)
    return ""


def _variable(value: object) -> str:
    if not isinstance(value, str):
        return _text(value)
    if re.fullmatch(_VARIABLE, value) is None or re.fullmatch(_RANDOM, value) or _text(value):
        return "it takes the name of the variable that holds the key, such as LOCAL_API_KEY, not the key"
    return ""


def _flag(value: object) -> str:
    return "" if isinstance(value, bool) else f"it takes true or false, not {value!r}"


_Check: TypeAlias = Callable[[object], str]
_DEFAULTS: Mapping[str, _Check] = {"provider": _provider, "model": _text, "base_url": _base_url, "log": _flag}
_ENDPOINT: Mapping[str, _Check] = {
    "provider": _provider,
    "base_url": _base_url,
    "model": _text,
    "api_key_env": _variable,
}

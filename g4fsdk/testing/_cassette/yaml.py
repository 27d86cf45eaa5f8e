"""Cassettes as text: vcrpy's format 1 with our two additions, written readably and read strictly."""

from __future__ import annotations

import json
import os
import re
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from g4fsdk.testing._cassette.errors import CassetteError

try:
    import yaml
except ModuleNotFoundError as error:
    raise ModuleNotFoundError("recordings need PyYAML: pip install 'g4fsdk[testing]'", name="yaml") from error

from g4fsdk.testing._cassette.plain_yaml import UNUSUAL, read_plain

if TYPE_CHECKING:
    from collections.abc import Mapping

try:
    from yaml import CSafeDumper as _SafeDumper
    from yaml import CSafeLoader as _SafeLoader
except ImportError:  # pragma: no cover  # PyYAML without libyaml
    from yaml import SafeDumper as _SafeDumper  # type: ignore[assignment]  # the same class, ten times slower
    from yaml import SafeLoader as _SafeLoader  # type: ignore[assignment]  # the same class, ten times slower

# What a YAML 1.1 literal block keeps as it is: printable text. Line ends other than \n are folded into
# \n by readers, and a byte order mark may be dropped.
_BLOCK_TEXT = r"[^\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]*"
_PLAIN_TEXT = r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]*"
_NO_FOLDING = 1_000_000  # columns
# Bodies and calls are flat. PyYAML before 6.0.4 crashes on thousands, instead of raising an error.
_DEEPEST = 1000
# What aliases may make of a text, for each of its letters and beside them: vcrpy writes what it meets
# twice as an alias, and a bomb of 500 bytes would become terabytes.
_MOST_GROWTH, _MOST_BESIDE = 100, 1_000_000

# What reading raises beside YAMLError: PyYAML's constructors take a scalar with a tag (`!!int ''`) for one
# of that type.
_UNREADABLE = (yaml.YAMLError, ValueError, LookupError, AttributeError)


class FlowMapping(dict[str, Any]):
    """A mapping that is written on one line."""


class _Dumper(_SafeDumper):  # pyright: ignore[reportGeneralTypeIssues]  # either of two classes
    def ignore_aliases(self, data: object) -> bool:  # an anchor says nothing to a reader of a recording
        return True


class _Loader(_SafeLoader):  # pyright: ignore[reportGeneralTypeIssues]  # either of two classes
    pass


def _style(text: str) -> str | None:
    if _is_block(text):
        return "|"
    return None if re.fullmatch(_PLAIN_TEXT, text) else '"'


def _is_block(text: str) -> bool:
    return (
        "\n" in text
        and text[0] not in " \t\n"
        and " \n" not in text
        and "\t\n" not in text
        and re.fullmatch(_BLOCK_TEXT, text) is not None
    )


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=_style(text))


def _represent_flow(dumper: _Dumper, value: FlowMapping) -> yaml.MappingNode:
    return dumper.represent_mapping("tag:yaml.org,2002:map", value.items(), flow_style=True)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(FlowMapping, _represent_flow)


def _construct_text(loader: _Loader, node: yaml.ScalarNode) -> Any:
    return loader.construct_scalar(node)


def _construct_word(loader: _Loader, node: yaml.SequenceNode) -> Any:
    return "".join(loader.construct_sequence(node))


def _construct_iterator(loader: _Loader, node: yaml.MappingNode) -> Any:
    match loader.construct_mapping(node, deep=True):
        case {"args": [list() as pieces, *_]}:
            return pieces
    return []


def _construct_nothing(loader: _Loader, node: yaml.Node) -> None:
    """Build nothing of what is not read: the address in an answer that aiohttp gave."""


def _construct_tuple(loader: _Loader, node: yaml.SequenceNode) -> list[Any]:
    return loader.construct_sequence(node)


def _construct_bytes(loader: _Loader, node: yaml.ScalarNode) -> Any:
    return loader.construct_yaml_binary(node)


def _construct_bytes_io(loader: _Loader, node: yaml.MappingNode) -> Any:
    match loader.construct_mapping(node, deep=True):
        case {"state": [str() | bytes() as data, *_]}:
            return data
    return b""


# The tags that vcrpy has written: text, tuples, file bodies, iterators, aiohttp's names and addresses. No
# Python object is built of any.
_CONSTRUCTORS: dict[str, Callable[[Any, Any], Any]] = {
    "str": _construct_text,
    "unicode": _construct_text,
    "tuple": _construct_tuple,
    "object/new:_io.BytesIO": _construct_bytes_io,
    "object/apply:builtins.iter": _construct_iterator,
    "object/new:multidict._istr.istr": _construct_word,
    "object/new:multidict._multidict.istr": _construct_word,
    "object/new:multidict._multidict_py.istr": _construct_word,
    "object/new:yarl.URL": _construct_nothing,
}
for _tag, _constructor in _CONSTRUCTORS.items():
    _Loader.add_constructor(f"tag:yaml.org,2002:python/{_tag}", _constructor)
_Loader.add_constructor("!binary", _construct_bytes)  # as Ruby writes it


def dump_yaml(document: Mapping[str, Any]) -> bytes:
    """Return *document* as YAML; every string in it comes back from `load_yaml` exactly."""
    text: str = yaml.dump(
        document,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=_NO_FOLDING,
    )
    return text.encode()


def dump_json(document: Mapping[str, Any]) -> bytes:
    """Return *document* as JSON; bytes that are no text, for which vcrpy has nothing, are in base64."""
    text = json.dumps(document, ensure_ascii=False, indent=1, default=_in_base64)
    return f"{text}\n".encode("utf-8", "backslashreplace")  # half a surrogate as JSON escapes it


def _in_base64(data: bytes) -> dict[str, str]:
    return {"base64_string": b64encode(data).decode()}


def load_file(path: str | os.PathLike[str]) -> Any:
    """Return the document in the file at *path*; see `load_yaml`.

    Raises:
        CassetteError: It is none.
        OSError: The file can't be read.
    """
    name = os.fspath(path)
    try:
        text = Path(path).read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise CassetteError(f"{name}: not UTF-8 text: {error}") from error
    return load_yaml(text, name)


def load_yaml(text: str, name: str) -> Any:
    """Return the document in *text*, which is YAML, or JSON as vcrpy's JSON serialiser writes it.

    Raises:
        CassetteError: It is neither; the message names *name*, the line and the column.
    """
    is_json = text.lstrip()[:1] == "{"
    try:
        # JSON has its own reader because YAML 1.1 knows no surrogate escapes ("\ud83d\ude00").
        if is_json:
            return json.loads(text)
        plain = _read_plain(text)
        if plain is not UNUSUAL:
            return plain
        _check_bounds(text, name)
        return yaml.load(text, Loader=_Loader)
    except CassetteError:
        raise
    except RecursionError as error:
        raise CassetteError(f"{name}: nested too deeply") from error
    except _UNREADABLE as error:
        raise CassetteError(f"{name}: not {'JSON' if is_json else 'YAML'}: {_first_line(error)}") from error


def _read_plain(text: str) -> Any:
    loader = _Loader(text)
    try:
        return read_plain(loader, deepest=_DEEPEST)
    finally:
        loader.dispose()


def _check_bounds(text: str, name: str) -> None:
    """Refuse what is nested too deeply, and what aliases make far larger than *text* is."""
    most, total = _MOST_BESIDE + _MOST_GROWTH * len(text), 0
    begun: list[tuple[str | None, int]] = []
    sizes: dict[str | None, int] = {}
    for event in yaml.parse(text, Loader=_Loader):
        match event:
            case yaml.AliasEvent(anchor=anchor):
                total += sizes.get(anchor, most)  # what is inside itself has no end
            case yaml.CollectionStartEvent(anchor=anchor):
                begun.append((anchor, total))
                total += 1
                sizes.pop(anchor, None)
            case yaml.CollectionEndEvent():
                anchor, start = begun.pop()
                sizes[anchor] = total - start
            case yaml.ScalarEvent(anchor=anchor, value=value):
                sizes[anchor] = 1 + len(value)
                total += sizes[anchor]
        if total > most:
            raise CassetteError(f"{name}: its anchors make it far larger than it is")
        if len(begun) > _DEEPEST:
            raise CassetteError(f"{name}: nested too deeply")


def _first_line(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return f"{getattr(error, 'problem', None) or str(error).splitlines()[0]}{where}"

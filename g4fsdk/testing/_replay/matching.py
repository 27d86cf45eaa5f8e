"""Which recorded requests a request is taken for: by parts, but for what is ignored, or by a callable."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, TypeAlias

from g4fsdk._core.model.errors import UsageError
from g4fsdk.testing._cassette.errors import MismatchError
from g4fsdk.testing._cassette.match import body_meaning, body_without, header_meaning, url_meaning
from g4fsdk.testing._cassette.paths import JSON, Path, read_path, without
from g4fsdk.testing._cassette.values import RecordedRequest

Part: TypeAlias = Literal["method", "url", "query", "headers", "body"]
MatchOn: TypeAlias = Callable[[RecordedRequest, RecordedRequest], bool] | Sequence[Part]
Names: TypeAlias = frozenset[str]

PARTS: tuple[Part, ...] = ("method", "url", "query", "headers", "body")
BY_DEFAULT: tuple[Part, ...] = ("method", "url", "query", "body")
#: What is compared of a request, as of the one at a place of the recording.
TreeOf: TypeAlias = Callable[[int, RecordedRequest], dict[str, JSON]]
_FORMS = 'a path into the body like "$.metadata.time", "header:Name" or "query:name"'


@dataclass(frozen=True, slots=True)
class Ignored:
    """What makes no difference between requests."""

    paths: tuple[Path, ...] = ()
    headers: frozenset[str] = frozenset()
    query: frozenset[str] = frozenset()

    @classmethod
    def read(cls, places: str | Iterable[str]) -> Ignored:
        """Raises UsageError for a place that can't be read."""
        found: Mapping[str, list[str]] = {"$": [], "header": [], "query": []}
        for place in [places] if isinstance(places, str) else places:
            kind, name = _read_place(place)
            found[kind].append(name)
        headers = frozenset(name.lower() for name in found["header"])
        return cls(tuple(map(read_path, found["$"])), headers, frozenset(found["query"]))


def _read_place(place: object) -> tuple[str, str]:
    if isinstance(place, str) and place.startswith("$"):
        return "$", place
    kind, _, name = place.partition(":") if isinstance(place, str) else ("", "", "")
    if kind not in ("header", "query") or not name.strip():
        raise UsageError(f"ignore={place!r}: expected {_FORMS}")
    return kind, name.strip()


@dataclass(frozen=True, slots=True)
class Matching:
    """How requests are compared. *judge* decides alone, where there is one.

    Without *with_origin* scheme, host and port don't count, as for a recording that is served elsewhere.
    """

    parts: frozenset[str] = frozenset(BY_DEFAULT)
    ignored: Ignored = field(default_factory=Ignored)
    judge: Callable[[RecordedRequest, RecordedRequest], bool] | None = None
    with_origin: bool = True

    @classmethod
    def read(
        cls, match_on: MatchOn | None = None, ignore: str | Iterable[str] = (), *, with_origin: bool = True
    ) -> Matching:
        """Return what `Replay` is told by *match_on* and *ignore*.

        Raises:
            UsageError: A part that requests don't have, a place that can't be read, or both a callable and
                something to ignore, which it would not know of.
        """
        ignored = Ignored.read(ignore)
        if callable(match_on):
            if ignored != Ignored():
                raise UsageError("ignore= has no effect on a callable match_on=: let that leave it out")
            return cls(judge=match_on, with_origin=with_origin)
        return cls(_read_parts(match_on), ignored, with_origin=with_origin)

    def takes(self, sent: RecordedRequest, recorded: RecordedRequest) -> bool:
        """Return what the callable says. Raises MismatchError when it fails."""
        assert self.judge is not None
        try:
            return bool(self.judge(sent, recorded))
        except Exception as error:  # whatever it is, it is no answer
            raise MismatchError(f"match_on={_name_of(self.judge)} failed: {error!r}") from error

    def same_bytes(self, request: RecordedRequest) -> tuple[str, str, bytes] | None:
        """Return what requests share that are one without a closer look; None where only a look can tell."""
        if self.judge is not None or "headers" in self.parts:
            return None
        if self.with_origin:
            return request.method, request.url, request.body
        host, slash, target = request.url.partition("://")[2].partition("/")
        return (request.method, target, request.body) if slash and "?" not in host else None

    def key(self, request: RecordedRequest, names: Names) -> str:
        """Return what requests share that one answer fits; *names* are the providers they may belong to."""
        return json.dumps(self.tree(request, names), sort_keys=True)

    def tree(self, request: RecordedRequest, names: Names) -> dict[str, JSON]:
        """Return what is compared of *request*, by part."""
        tree: dict[str, JSON] = {"method": request.method.upper()} if "method" in self.parts else {}
        if url := self._url(request):
            tree["url"] = url
        if "headers" in self.parts:
            tree["headers"] = self._headers(request)
        if "body" in self.parts:
            tree["body"] = self._body(request, names)
        return tree

    def _url(self, request: RecordedRequest) -> dict[str, JSON]:
        meaning = url_meaning(request.url, with_origin=self.with_origin)
        query = meaning.pop("query")
        kept = meaning if "url" in self.parts else {}
        return {**kept, "query": _unnamed(query, self.ignored.query)} if "query" in self.parts else kept

    def _headers(self, request: RecordedRequest) -> JSON:
        from g4fsdk.testing._secrets.names import PLACEHOLDER

        shown = json.loads(PLACEHOLDER.sub("SCRUBBED", json.dumps(header_meaning(request))))
        return _unnamed(shown, self.ignored.headers)

    def _body(self, request: RecordedRequest, names: Names) -> JSON:
        meaning = body_meaning(request)
        facts = facts_of(names)
        if isinstance(meaning, dict) and "json" in meaning:
            for path, is_default in facts.defaults:
                meaning["json"] = without(meaning["json"], path, is_default)
        for path in (*facts.made_by_ids, *self.ignored.paths):
            meaning = body_without(meaning, path)
        return meaning


def _read_parts(match_on: Sequence[Part] | None) -> frozenset[str]:
    given = BY_DEFAULT if match_on is None else (match_on,) if isinstance(match_on, str) else tuple(match_on)
    if not given or set(given) - {*PARTS}:
        names = ", ".join(map(repr, PARTS))
        raise UsageError(f"match_on={match_on!r}: expected some of {names}, or a callable (sent, recorded)")
    return frozenset(given)


def _name_of(judge: object) -> str:
    return getattr(judge, "__qualname__", repr(judge))


def _unnamed(pairs: JSON, names: frozenset[str]) -> list[JSON]:
    every = pairs if isinstance(pairs, list) else []
    return [pair for pair in every if isinstance(pair, list) and pair[0] not in names]


@dataclass(frozen=True, slots=True)
class Facts:
    """What the providers say of their requests: see `Provider.made_by_ids` and `Provider.defaults`."""

    made_by_ids: tuple[Path, ...]
    defaults: tuple[tuple[Path, Callable[[JSON], bool]], ...]


@lru_cache
def facts_of(names: Names) -> Facts:
    from g4fsdk.providers import PROVIDERS

    kinds = [PROVIDERS[name] for name in sorted(names)]
    made = dict.fromkeys(path for kind in kinds for path in kind.made_by_ids)
    defaults = [(read_path(path), _equals(value)) for kind in kinds for path, value in kind.defaults.items()]
    return Facts(tuple(map(read_path, made)), tuple(defaults))


def _equals(default: JSON) -> Callable[[JSON], bool]:
    return lambda value: type(value) is type(default) and value == default


def providers_of(url: str, said: str) -> Names:
    """Return the providers to which a request to *url* may belong, where the recording says *said*."""
    from g4fsdk.providers import PROVIDERS
    from g4fsdk.testing._cassette.services import provider_of_url

    return frozenset(name for name in (provider_of_url(url), said) if name in PROVIDERS)

"""Going through a cassette, text by text, to replace what one function finds in each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from g4fsdk._core.model.secret_names import words_of
from g4fsdk.testing._cassette.cassette import Cassette
from g4fsdk.testing._cassette.codings import CodingError
from g4fsdk.testing._cassette.values import (
    Headers,
    Interaction,
    RecordedRequest,
    RecordedResponse,
)
from g4fsdk.testing._secrets.credentials import header_edits, is_cookie_jar, member_edits, secret_edit
from g4fsdk.testing._secrets.edits import (
    Edit,
    applied,
    applied_to_chunks,
    merged,
)
from g4fsdk.testing._secrets.find import MOST_REMEMBERED, edits_in, is_innocent, known_edits_in
from g4fsdk.testing._secrets.json_strings import is_one_document, joined_texts
from g4fsdk.testing._secrets.known import KnownSecrets
from g4fsdk.testing._secrets.names import PLACEHOLDER
from g4fsdk.testing._secrets.packed import Pack, packed, unpacked


def ignore(place: str, data: bytes, edits: list[Edit]) -> None:
    """Report nothing."""


def body_edits(body: bytes, known: KnownSecrets, *, in_response: bool) -> list[Edit]:
    """Return the edits that take the secrets out of *body*, those in text joined over events included."""
    edits = edits_in(body, known, in_response=in_response)
    if is_one_document(body):
        return edits
    careful, others = joined_texts(body)
    for edit in edits_in(careful.text, known, in_response=in_response):
        edits += careful.in_body(edit)
    for joined in others:
        for edit in known_edits_in(joined.text, known):
            edits += joined.in_body(edit)
    return merged(edits)


@dataclass(frozen=True, slots=True)
class CassetteEditor:
    """Takes secrets out of a cassette, text by text; *report* hears the edits of each and its place."""

    known: KnownSecrets
    report: Callable[[str, bytes, list[Edit]], None] = ignore

    def cassette(self, cassette: Cassette) -> Cassette:
        """Return *cassette* without what is found on this way."""
        self.known.begin_session()
        interactions = [
            self._interaction(f"interactions[{i}]", each) for i, each in enumerate(cassette.interactions)
        ]
        return replace(
            cassette, interactions=interactions, metadata=self._value("metadata", "", cassette.metadata)
        )

    def request(self, place: str, request: RecordedRequest) -> RecordedRequest:
        headers = self._headers(f"{place}.headers", request.headers, in_response=False)
        url = self._text(f"{place}.url", request.url)
        if self.known.is_clean(request.body):
            return RecordedRequest(request.method, url, headers, request.body)
        try:
            text, packs = unpacked(request.body, request.headers)
        except CodingError as error:  # what can't be searched counts as a secret, and stays
            self.report(f"{place}.body", request.body, [Edit(0, 0, b"?", f"it can't be searched: {error}")])
            return RecordedRequest(request.method, url, headers, request.body)
        edits = body_edits(text, self.known, in_response=False)
        self.report(f"{place}.body", text, edits)
        if not edits:
            self.known.note_clean(request.body)
            return RecordedRequest(request.method, url, headers, request.body)
        body = packed(applied(text, edits), packs)
        return RecordedRequest(request.method, url, _with_length(headers, body), body)

    def _interaction(self, place: str, each: Interaction) -> Interaction:
        self.known.note_sent(as_bytes(each.request.url), each.request.body)
        request = self.request(f"{place}.request", each.request)
        return Interaction(request, self._response(f"{place}.response", each.response))

    def _response(self, place: str, response: RecordedResponse) -> RecordedResponse:
        headers = self._headers(f"{place}.headers", response.headers, in_response=True)
        reason = self._text(f"{place}.reason", response.reason)
        text, packs = _readable(response)
        edits = body_edits(text, self.known, in_response=True)
        self.report(f"{place}.body", text, edits)
        chunks, at_ms = response.chunks, response.at_ms
        if edits and packs:  # packed again it is cut nowhere
            chunks, at_ms = [packed(applied(text, edits), packs)], at_ms[-1:]
        elif edits:
            chunks, at_ms = applied_to_chunks(chunks, at_ms, edits)
        return replace(response, headers=headers, reason=reason, chunks=chunks, at_ms=at_ms)

    def _headers(self, place: str, headers: Headers, *, in_response: bool) -> Headers:
        return [
            (name, self._header(f"{place}.{name}", name, value, in_response=in_response))
            for name, value in headers
        ]

    def _header(self, place: str, name: str, value: str, *, in_response: bool) -> str:
        data = as_bytes(value)
        edits = header_edits(name, data, self.known)
        if not edits and is_innocent(data, self.known, in_response=in_response):
            return value
        few = len(self.known.values) <= MOST_REMEMBERED
        if not edits or not few or not _says_all(name, data, self.known.values):
            edits += edits_in(data, self.known, in_response=in_response)
        return self._edited(place, data, merged(edits))

    def _text(self, place: str, text: str) -> str:
        data = as_bytes(text)
        if is_innocent(data, self.known):
            return text
        return self._edited(place, data, edits_in(data, self.known))

    def _cookie(self, place: str, value: str) -> str:
        data = as_bytes(value)
        edits = secret_edit(0, len(data), value, ("cookie", "cookie"), self.known)
        return self._edited(place, data, list(edits))

    def _edited(self, place: str, data: bytes, edits: list[Edit]) -> str:
        self.report(place, data, edits)
        return applied(data, edits).decode("utf-8", "surrogateescape")

    def _value(self, place: str, key: str, value: Any) -> Any:
        """Return the metadata *value*, which stands under *key*, without its secrets."""
        match value:
            case dict() if is_cookie_jar(key):
                return {name: self._cookie(f"{place}.{name}", str(each)) for name, each in value.items()}
            case dict() if words_of(key)[-1:] == ("headers",):
                return {
                    name: self._said_header(f"{place}.{name}", str(name), each)
                    for name, each in value.items()
                }
            case dict():
                return {name: self._value(f"{place}.{name}", str(name), each) for name, each in value.items()}
            case list() | tuple():
                return [self._value(f"{place}[{i}]", key, each) for i, each in enumerate(value)]
            case str():
                data = as_bytes(value)
                return self._edited(
                    place, data, merged([*member_edits(key, data, self.known), *edits_in(data, self.known)])
                )
            case _:
                return value

    def _said_header(self, place: str, name: str, value: Any) -> Any:
        if isinstance(value, str):
            return self._header(place, name, value, in_response=False)
        return self._value(place, name, value)


@lru_cache(maxsize=1024)
def _says_all(name: str, data: bytes, values: tuple[str, ...]) -> bool:
    """Tell whether the name of a header alone gives every secret in its value, *values* being known."""
    known = KnownSecrets(values)
    by_name = merged(header_edits(name, data, known))
    learned = known.values
    return merged([*by_name, *edits_in(data, known, in_response=True)]) == by_name and known.values == learned


def _readable(response: RecordedResponse) -> tuple[bytes, list[Pack]]:
    """Return the body as text and what packs it again; as it is where nothing here undoes its coding.

    That is no reason to refuse a recording: unlike a request, an answer is not made of the caller's secrets.
    """
    try:
        return unpacked(response.body, response.headers)
    except CodingError:
        return response.body, []


def _with_length(headers: Headers, body: bytes) -> Headers:
    """Return *headers* with the length of *body*, where they tell one."""
    return [(name, str(len(body)) if name.lower() == "content-length" else value) for name, value in headers]


def as_bytes(text: str) -> bytes:
    """Return *text* in bytes that decode to it again, whatever surrogates it holds."""
    return text.encode("utf-8", "surrogateescape")


def placeholders_in(cassette: Cassette) -> Iterator[str]:
    """Yield the placeholders that stand in *cassette*."""
    yield from PLACEHOLDER.findall(str(cassette.metadata))
    for each in cassette.interactions:
        headers = each.request.headers + each.response.headers
        texts = [each.request.url, *(value for _, value in headers)]
        texts += [body.decode("latin-1") for body in (each.request.body, each.response.body)]
        for text in texts:
            yield from PLACEHOLDER.findall(text)

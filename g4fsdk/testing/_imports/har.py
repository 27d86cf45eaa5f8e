"""What others recorded, as cassettes: HAR 1.2 of browsers, proxies and Playwright, and vcrpy's files.

Nothing here removes secrets: scrub what these functions return before it is written.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from operator import itemgetter
from pathlib import Path
from typing import Any
from urllib.parse import urljoin
from zipfile import BadZipFile, ZipFile, is_zipfile

import msgspec

from g4fsdk.providers import PROVIDERS
from g4fsdk.testing._cassette.cassette import Cassette
from g4fsdk.testing._cassette.codings import MOST_BYTES
from g4fsdk.testing._cassette.errors import CassetteError
from g4fsdk.testing._cassette.services import provider_of_url, providers_of
from g4fsdk.testing._imports.har_entry import from_base64, interaction_of
from g4fsdk.testing._imports.vcr import adopted

UNKNOWN = "(HAR); chunk boundaries and times unknown"
PROVENANCE = f"captured in a browser {UNKNOWN}"
BROWSERS = re.compile("firefox|chrom|edge|safari|webkit|inspector|playwright|puppeteer|browser", re.I)
UNREADABLE = (OSError, KeyError, BadZipFile, RuntimeError)  # RuntimeError: it wants a password


def import_file(path: str | Path, provider: str | None = None) -> Cassette:
    """Return the cassette in the file at *path*: HAR, also zipped, or a cassette, told by what it holds.

    *provider* says whose entries of a HAR file are meant, see `from_har`, or whose a cassette of vcrpy is.
    Bodies that Playwright keeps in files of their own are read from the folder or archive of the HAR.

    Raises:
        CassetteError: The file is neither, or not usable.
        OSError: The file can't be read.
    """
    read = _file_beside(Path(path))
    if is_zipfile(path):
        document, read = _unpacked(path)
    else:
        document = _json(Path(path).read_bytes())  # None for a cassette in YAML
    match document:
        case {"log": dict()}:
            return from_har(document, provider, read_file=read)
    cassette = Cassette.load(path)
    return cassette if cassette.metadata else adopted(cassette, provider=provider)


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)  # in any of Unicode's codings
    except (ValueError, RecursionError):
        return None


def _file_beside(har: Path) -> Callable[[str], bytes]:
    return lambda name: (har.parent / Path(name).name).read_bytes()


def _unpacked(path: str | Path) -> tuple[Any, Callable[[str], bytes]]:
    """Return the HAR in the archive at *path*, and what reads the files beside it."""

    def read(name: str) -> bytes:
        try:
            with ZipFile(path) as archive, archive.open(name) as file:
                data = file.read(MOST_BYTES + 1)
        except UNREADABLE as error:
            raise CassetteError(f"{path}: {name} in it can't be read: {error}") from error
        if len(data) > MOST_BYTES:
            raise CassetteError(f"{path}: {name} in it is larger than {MOST_BYTES} bytes")
        return data

    with ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.endswith(".har")]
    document = _json(read(names[0])) if len(names) == 1 else None
    if not isinstance(document, dict) or "log" not in document:
        raise CassetteError(f"{path}: expected an archive with one HAR file, found {len(names)} in it")
    return document, read


def from_har(
    document: Mapping[str, Any],
    provider: str | None = None,
    *,
    url_contains: str = "",
    read_file: Callable[[str], bytes] | None = None,
) -> Cassette:
    """Return the cassette of a session that a browser saved as HAR, one chunk a response, all at 0 ms.

    Kept are the requests of *provider*, known by their URLs, on whatever host, and where they were sent on
    to; without a name, those of the one provider that *document* has requests of. Of these, only the ones
    whose URL has *url_contains* in it. *read_file* reads the files that it names.

    Raises:
        CassetteError: It is no HAR, has no such request or those of several providers, or lacks a body.
    """
    if provider is not None and provider not in PROVIDERS:
        raise CassetteError(f"unknown provider {provider!r}; known: {', '.join(PROVIDERS)}")
    try:
        entries = [each for each in document["log"]["entries"] if each["request"]["method"] != "OPTIONS"]
        entries = _in_order([each for each in entries if url_contains in each["request"]["url"]])
        provider = provider or _only_provider([each["request"]["url"] for each in entries])
        wanted = [_with_files(_whole(each), read_file) for each in _asked(entries, provider)]
        interactions = [*map(interaction_of, wanted)]
    except msgspec.ValidationError as error:
        raise CassetteError(f"not a HAR file: in an entry of {provider}: {error}") from error
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, CassetteError):
            raise
        raise CassetteError(f"not a HAR file: {type(error).__name__} at {error}") from error
    if not interactions:
        raise CassetteError(f"no entry of the HAR file is a request of {provider}")
    recorded_at = wanted[0].get("startedDateTime")
    said = {"provider": provider, "provenance": _provenance(document["log"]), "recorded_at": recorded_at}
    return Cassette(interactions, said)


def _in_order(entries: list[Any]) -> list[Any]:
    """Return *entries* by the times at which they began, if all tell it: some programs order them by page."""
    try:
        began = [datetime.fromisoformat(each["startedDateTime"]).timestamp() for each in entries]
    except (KeyError, TypeError, ValueError):
        return entries
    return [each for _, each in sorted(zip(began, entries, strict=True), key=itemgetter(0))]


def _asked(entries: list[Any], provider: str) -> Iterator[Any]:
    """Yield those of *entries* that ask *provider*, or go on where it sent one that does."""
    behind: set[str] = set()
    for each in entries:
        url = each["request"]["url"].partition("#")[0]
        if PROVIDERS[provider].is_asked_at(url) or url in behind:
            behind |= {urljoin(url, place) for place in _locations(each)}
            yield each


def _locations(entry: Any) -> Iterator[str]:
    match entry:
        case {"response": {"headers": list(headers)}}:
            for header in headers:
                match header:
                    case {"name": "location" | "Location", "value": str(place)}:
                        yield place


def _whole(entry: Any) -> Any:
    """Return *entry* with its body in one piece: Polly.JS lists the pieces of a coded one, each in base64."""
    match entry:
        case {"response": {"content": {"encoding": "base64", "text": str(text), **rest}} as response}:
            pieces = _json(text.encode()) if text.startswith('["') else None
            coded = [from_base64(piece) for piece in pieces or () if isinstance(piece, str)]
            if coded and None not in coded:
                body = b64encode(b"".join(filter(None, coded))).decode()
                content = {**rest, "encoding": "base64", "text": body, "size": None}
                return {**entry, "response": {**response, "content": content}}
    return entry


def _provenance(log: Mapping[str, Any]) -> str:
    """Say what captured it: a browser, or a proxy by its name."""
    creator = log.get("creator")
    said = [creator.get("name"), creator.get("version")] if isinstance(creator, dict) else []
    name = " ".join(str(word) for word in said if word)
    return f"captured with {name} {UNKNOWN}" if name and not BROWSERS.search(name) else PROVENANCE


def _with_files(entry: Any, read_file: Callable[[str], bytes] | None) -> Any:
    """Return *entry* with the contents of the files that Playwright keeps bodies in."""
    match entry:
        case {"request": {"postData": {"_file": str(name)} as posted} as request}:
            sent = {**posted, **_content_of(name, read_file)}
            entry = {**entry, "request": {**request, "postData": sent}}
    match entry:
        case {"response": {"content": {"_file": str(name)} as content} as response}:
            came = {**content, **_content_of(name, read_file)}
            entry = {**entry, "response": {**response, "content": came}}
    return entry


def _content_of(name: str, read_file: Callable[[str], bytes] | None) -> dict[str, str]:
    try:
        data = read_file(name) if read_file else None
    except UNREADABLE as error:
        raise CassetteError(f"the HAR file names a file that can't be read: {name!r}: {error}") from error
    if data is None:
        raise CassetteError(f"the HAR file keeps a body in another file, {name!r}")
    return {"text": b64encode(data).decode(), "encoding": "base64"}


def _only_provider(urls: list[str]) -> str:
    found = providers_of(url for url in urls if provider_of_url(url))
    if len(found) != 1:
        seen = f"requests of {', '.join(found)}" if found else f"{len(urls)} entries and no known request"
        raise CassetteError(f"the HAR file holds {seen}: name the provider; known: {', '.join(PROVIDERS)}")
    return found[0]

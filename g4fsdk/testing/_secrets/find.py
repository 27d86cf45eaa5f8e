"""Finding secrets in a text of any format, as the edits that replace them.

The finders look at bytes and need no parser that could fail: they read JSON at any depth of escaping,
JSON lines, SSE, forms, URLs, broken documents and prose alike.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import unquote, unquote_to_bytes

from g4fsdk._core.model.secret_names import is_secret_member, is_secret_query, words_of
from g4fsdk.testing._secrets.coded import edits_in_base64, edits_in_percent_coding
from g4fsdk.testing._secrets.credentials import (
    cookie_edits,
    credential_edit,
    is_cookie_jar,
    secret_edit,
    set_cookie_edits,
)
from g4fsdk.testing._secrets.edits import BETWEEN, Edit, merged
from g4fsdk.testing._secrets.find_json import edits_by_key, edits_by_pair
from g4fsdk.testing._secrets.known import Haystack, KnownSecrets
from g4fsdk.testing._secrets.names import KEY_PATTERNS, PLACEHOLDER, SHORTEST_SIGNATURE, slug_of

DEEPEST = 4  # base64 or percent coding inside one another

QUERY_NAME = re.compile(rb"(?:\A|[?&;#])(?:amp;)?(_{0,2}[A-Za-z][A-Za-z0-9_.%\[\]-]{0,63})=")
QUERY_VALUE = re.compile(rb"[^&\s\"'<>#;\\]*")
IN_SEGMENT = re.compile(rb"[^&\s\"'<>#;\\?/]*")  # `/chat;jsessionid=...?page=2`
PATH_PAIR = re.compile(
    rb"(?<=/)([A-Za-z][A-Za-z_.-]{0,63})/(?=([A-Za-z._~%+=@:-]*\d[\w.~%+=@:-]{7,})(?:[/?#]|\Z))", re.ASCII
)
USERINFO = re.compile(rb"://([^/\s:@\"'<>?#\\]{0,512})(?::([^/\s@\"'<>?#\\]{0,4096}))?@")
# Bounded, because the head of a part is short, and a line without an end may be long.
PART = re.compile(
    rb"Content-Disposition:[^\r\n]{0,512}?[;\s]name=(?P<quote>\"?)(_{0,2}[A-Za-z][A-Za-z0-9_.-]{0,63})(?P=quote)"
    rb"(?:;[^\r\n]{0,512})?\r?\n(?:[^\r\n]{1,512}\r?\n){0,16}\r?\n",
    re.IGNORECASE,
)
# Where the boundary was lost, the next part begins.
PART_END = re.compile(rb"\r?\n--|\s*Content-Disposition:|" + re.escape(BETWEEN), re.IGNORECASE)
# A dict as Python prints it, which services do in what they say of a refusal.
PRINTED = re.compile(rb"'(_{0,2}[A-Za-z][A-Za-z0-9_.-]{0,63})'\s*:\s*b?'([^'\\\n]+)'")
# `X-Api-Key: ...` of a printed head, `API_KEY=...` of an environment, `<apiKey>...` of XML: what stands
# behind the name, as long as keys are, and what stands before it.
ASSIGNED = re.compile(  # looked ahead at, as in `registry:api_key=...` a name stands behind another
    rb"[:=>](?=[ \t]{0,4}[\"']?((?:(?i:basic|token|key)[ \t]+)?([A-Za-z0-9_~+/-][A-Za-z0-9_~+/=.-]{15,511}+))"
    rb"(?![A-Za-z0-9_~+/=.(\[-]))"
)
ITS_NAME = re.compile(rb"(?<![A-Za-z0-9_.-])(_{0,2}[A-Za-z][A-Za-z0-9_.-]{2,63})[\"']?[ \t]{0,4}\Z")
MOST_BEFORE = 72  # bytes, for such a name
# A text that has none of these, and no `token` but in `tokens`, names no secret.
IN_NAMES = (b"key", b"auth", b"secret", b"pass", b"credential", b"jwt")
COOKIE_LINE = re.compile(rb"\b((?:set-)?cookie):[ \t]*([\w.-]+=[^\r\n\"'\\<]+)", re.IGNORECASE)
DOTTED = re.compile(rb"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+", re.ASCII)  # in programs
SIGNATURES = frozenset({"sig", "signature"})
# What a page gives its forms and scripts to send back: `<input name="csrf_token" value="...">`.
TAG = re.compile(rb"(?:<|\\u003[cC])(?:input|meta)\b([^<>]{1,1024}?)(?:>|\\u003[eE])", re.IGNORECASE)
ATTRIBUTE = re.compile(rb"(?<![\w-])(name|value|content)\s*=\s*(?:\\*[\"'])?([^\"'\\\s<>]+)", re.IGNORECASE)
BEARER = re.compile(rb"bearer(?:\s|%20|\+)+([A-Za-z0-9._~+/=-]{8,})", re.IGNORECASE)
PEM = re.compile(
    rb"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----[^-\0]*(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----)?"
)
PLACEHOLDER_BYTES = re.compile(PLACEHOLDER.pattern.encode())


def _key_pattern(start: str, rest: str) -> re.Pattern[bytes]:
    # The literal comes first, for speed; then a look back: no letter before it, unless of an escape like \n.
    literal = re.escape(start)
    return re.compile(rf"{literal}(?:(?<![A-Za-z0-9]{literal})|(?<=\\[nrt]{literal})){rest}".encode())


KEYS = {slug: (start.encode(), _key_pattern(start, rest)) for slug, (start, rest) in KEY_PATTERNS.items()}
# Longer texts, and those of a session with more secrets, are rarely the same twice.
LONGEST_REMEMBERED, MOST_REMEMBERED = 1024, 8


def edits_in(data: bytes, known: KnownSecrets, *, in_response: bool = False, depth: int = 0) -> list[Edit]:
    """Return the edits that take the secrets out of *data*, in order and without overlaps.

    What is found by its name or its look becomes one of those that *known* holds.
    """
    found = [
        *edits_by_key(data, known, in_response=in_response),
        *edits_by_pair(data, known),
        *_in_queries(data, known),
        *_in_path(data, known),
        *_in_userinfo(data, known),
        *_in_parts(data, known),
        *_as_printed(data, known),
        *_assigned(data, known),
        *_in_tags(data, known),
        *_in_cookie_lines(data, known),
        *_by_pattern(data, known),
    ]
    if depth < DEEPEST:

        def search(inner: bytes) -> list[Edit]:
            return edits_in(inner, known, in_response=in_response, depth=depth + 1)

        found += [*edits_in_base64(data, search), *edits_in_percent_coding(data, search)]
    found += _known(data, known)
    return merged(_outside_placeholders(data, found))


def is_innocent(data: bytes, known: KnownSecrets, *, in_response: bool = False) -> bool:
    """Tell whether no secret is in *data*, by itself or as it is *known*; cheap for texts that recur."""
    if len(data) <= LONGEST_REMEMBERED and len(known.values) <= MOST_REMEMBERED:
        return _is_innocent(data, known.values, in_response)
    return not edits_in(data, known, in_response=in_response)


@lru_cache(maxsize=4096)
def _is_innocent(data: bytes, values: tuple[str, ...], in_response: bool) -> bool:
    return not edits_in(data, KnownSecrets(values), in_response=in_response)


def known_edits_in(data: bytes, known: KnownSecrets) -> list[Edit]:
    """Return the edits that take out of *data* what is *known* already."""
    return merged(_outside_placeholders(data, list(_known(data, known))))


def _in_queries(data: bytes, known: KnownSecrets) -> Iterator[Edit]:
    for found in QUERY_NAME.finditer(data) if b"=" in data else ():
        name = unquote(found[1].decode())
        until = IN_SEGMENT if found[0].startswith(b";") else QUERY_VALUE
        value = until.match(data, found.end()) if is_secret_query(name) else None
        if value and (len(value[0]) >= SHORTEST_SIGNATURE or words_of(name)[-1] not in SIGNATURES):
            text = _unquoted(value[0].replace(b"+", b" "))
            slug = slug_of(name)
            yield from secret_edit(*value.span(), text, (slug, f"query {slug}"), known)


def _unquoted(coded: bytes) -> str:
    return unquote_to_bytes(coded).decode("utf-8", "surrogateescape")


def _in_path(data: bytes, known: KnownSecrets) -> Iterator[Edit]:
    for found in PATH_PAIR.finditer(data) if data.startswith((b"http://", b"https://")) else ():
        slug = slug_of(found[1].decode())
        # `/tokens/17` and `/token/17` name things that have ids.
        if slug != "token" and not slug.endswith("s") and is_secret_member(slug):
            yield from secret_edit(*found.span(2), _unquoted(found[2]), (slug, f"{slug} in a path"), known)


def _in_userinfo(data: bytes, known: KnownSecrets) -> Iterator[Edit]:
    for found in USERINFO.finditer(data) if b"@" in data else ():
        for group, slug in ((1, "user"), (2, "password")):
            if found[group]:
                text = _unquoted(found[group])
                yield from secret_edit(*found.span(group), text, (slug, f"{slug} in a URL"), known)


def _in_parts(data: bytes, known: KnownSecrets) -> Iterator[Edit]:
    for found in PART.finditer(data) if b"content-disposition" in data.lower() else ():
        if not is_secret_member(name := found[2].decode()):
            continue
        ending = PART_END.search(data, found.end())
        end = ending.start() if ending else len(data)
        slug = slug_of(name)
        yield from credential_edit(data, found.end(), end, (slug, f"form field {slug}"), known)


def _as_printed(data: bytes, known: KnownSecrets) -> Iterator[Edit]:
    for found in PRINTED.finditer(data) if b"'" in data else ():
        if is_secret_member(name := found[1].decode()):
            slug = slug_of(name)
            yield from credential_edit(
                data, *found.span(2), (slug, f"key {slug}, as Python prints it"), known
            )


def _assigned(data: bytes, known: KnownSecrets) -> Iterator[Edit]:
    for found in ASSIGNED.finditer(data) if _may_name_a_secret(data.lower()) else ():
        named = ITS_NAME.search(data, max(0, found.start() - MOST_BEFORE), found.start())
        name = named[1].decode() if named else ""
        if is_secret_member(name) and not is_cookie_jar(name) and _is_random(found[2]):
            slug = slug_of(name)
            yield from credential_edit(data, *found.span(1), (slug, f"{slug} in a text"), known)


def _in_tags(data: bytes, known: KnownSecrets) -> Iterator[Edit]:
    for tag in TAG.finditer(data) if b"name=" in data or b"NAME=" in data else ():
        given = {found[1].lower(): found for found in ATTRIBUTE.finditer(data, *tag.span(1))}
        value, name = given.get(b"value", given.get(b"content")), given.get(b"name")
        if name and value and is_secret_member(name[2].decode("ascii", "replace")) and _is_random(value[2]):
            slug = slug_of(name[2].decode())
            yield from credential_edit(data, *value.span(2), (slug, f"{slug} in a page"), known)


def _may_name_a_secret(text: bytes) -> bool:
    return any(part in text for part in IN_NAMES) or text.count(b"token") > text.count(b"tokens")


def _in_cookie_lines(data: bytes, known: KnownSecrets) -> Iterator[Edit]:
    for found in COOKIE_LINE.finditer(data) if b"ookie:" in data else ():
        edits = cookie_edits if found[1].lower() == b"cookie" else set_cookie_edits
        yield from edits(data, *found.span(2), known)


def _is_random(value: bytes) -> bool:
    """Tell whether *value* looks like a key, and not like a word or a name of a program."""
    digits = sum(byte in b"0123456789" for byte in value)
    is_mixed = digits > 0 and value.lower() != value and value.upper() != value
    return (digits > 1 or is_mixed) and DOTTED.fullmatch(value) is None


def _by_pattern(data: bytes, known: KnownSecrets) -> Iterator[Edit]:
    for slug, (start, pattern) in KEYS.items():
        for found in pattern.finditer(data) if start in data else ():
            yield from secret_edit(*found.span(), found[0].decode(), (slug, f"{slug} by its look"), known)
    for found in PEM.finditer(data) if b"-----BEGIN " in data else ():
        yield from secret_edit(*found.span(), found[0].decode(), ("private-key", "private key"), known)
    for found in BEARER.finditer(data) if b"bearer" in data.lower() else ():
        if any(byte in b"0123456789" for byte in found[1]) or len(found[1]) >= 24:
            yield from secret_edit(*found.span(1), found[1].decode(), ("bearer", "bearer token"), known)


def _known(data: bytes, known: KnownSecrets) -> Iterator[Edit]:
    text = Haystack(data)
    for forms in known.maybe_in(text):
        for start, end in forms.ranges(text):
            is_number = forms.value.isdecimal() and data[start - 1 : start] in (b":", b"[", b",", b" ")
            new = b"0" if is_number else known.placeholder(forms.value, "secret").encode()
            yield Edit(start, end, new, "known secret")
        for start, end in forms.base64_ranges(data):  # in base64 that is no text: keep it decodable
            yield Edit(start, end, (b"SCRUBBED" * (end - start))[: end - start], "known secret in base64")


def _outside_placeholders(data: bytes, edits: list[Edit]) -> list[Edit]:
    spans = [found.span() for found in PLACEHOLDER_BYTES.finditer(data)] if edits else []
    starts = [start for start, _ in spans]

    def is_outside(edit: Edit) -> bool:
        at = bisect_right(starts, edit.start) - 1
        return at < 0 or edit.end > spans[at][1]

    return [edit for edit in edits if is_outside(edit)]

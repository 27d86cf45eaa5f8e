"""Finding secrets by the keys of JSON objects: at any depth of escaping, in streams and broken documents."""

from __future__ import annotations

import re
from collections.abc import Iterator

from g4fsdk._core.model.secret_names import is_secret_member
from g4fsdk.testing._secrets.credentials import (
    SCHEME,
    cookie_edits,
    credential_edit,
    set_cookie_edits,
    unescaped,
)
from g4fsdk.testing._secrets.edits import BETWEEN, Edit
from g4fsdk.testing._secrets.known import KnownSecrets
from g4fsdk.testing._secrets.names import ACCOUNT_MEMBERS, COOKIE_JARS, TEXT_TOKEN, canonical, slug_of

# In a JSON string that holds JSON, a quote is \\" and a line end is \\n.
SPACE = rb"(?:\s|\\+[nrt])*"
NAME = re.compile(rb'"(_{0,2}[A-Za-z][A-Za-z0-9_.-]{0,63})(\\*)"' + SPACE + rb":" + SPACE)
# Headers as a list of pairs, and as HAR, Postman and GraphQL have them: {"name": ..., "value": ...}.
WORD = rb'(\\*)"(_{0,2}[A-Za-z][A-Za-z0-9_.-]{0,63})\\*"'
LISTED = re.compile(rb"\[" + SPACE + WORD + SPACE + rb"," + SPACE)
LIST_END = re.compile(rb'\\*"' + SPACE + rb"\]")
OTHERS = rb"[^{}\[\]]{0,128}?"  # members that stand between: `"type": "text"`
NAMED = re.compile(
    rb'"(?:[Nn]ame|[Kk]ey|header)\\*"' + SPACE + rb":" + SPACE + WORD + SPACE + rb"," + OTHERS
    + rb'\\*"[Vv]alue\\*"' + SPACE + rb":" + SPACE
)  # fmt: skip
VALUE = re.compile(rb'"[Vv]alue\\*"' + SPACE + rb":" + SPACE + rb'(\\*)"')
ITS_NAME = re.compile(
    rb'\\*"' + SPACE + rb"," + OTHERS + rb'\\*"(?:[Nn]ame|[Kk]ey|header)\\*"' + SPACE + rb":" + SPACE + WORD
)
# An object that holds a secret under that name: OpenAI's `"client_secret": {"value": ...}`.
ITS_VALUE = re.compile(rb'\{[^{}]{0,256}?"value\\*"' + SPACE + rb":" + SPACE)
DIGIT = re.compile(rb"\d")
SHORTEST_LISTED = 8  # a list of two words may as well name what is required
QUOTE = re.compile(rb'(?<!\\)(\\*)"')
# A string that lacks its quote ends with the text that it stands in, see `BETWEEN`.
STRING_END = re.compile(rb'(?<!\\)(\\*)"|' + re.escape(BETWEEN))
NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
NESTED = re.compile(rb'(?P<quote>(?<!\\)\\*")|(?P<open>[\[{])|(?P<close>[\]}])|\n')
KEY_END = re.compile(rb'\\*"\s*:')
BRACE = re.compile(rb"[{}\n]")
NEARBY = 256  # how far the siblings of a token are looked for: chat-ui's and log probabilities' are short


def edits_by_key(data: bytes, known: KnownSecrets, *, in_response: bool) -> Iterator[Edit]:
    """Yield the edits for the values of secret keys in *data*."""
    done = 0
    for found in NAME.finditer(data):
        name = found[1].decode()
        if found.start() < done or not _is_replaced(name, in_response=in_response):
            continue
        if name.lower() == "token" and _is_text_token(data, found):
            continue
        strings, done = _strings_at(data, found.end(), len(found[2]), name)
        for start, end in strings:
            yield from _string_edits(data, start, end, len(found[2]), name, known)
        if not strings:
            yield from _number_edits(data, found.end(), name, known)


def edits_by_pair(data: bytes, known: KnownSecrets) -> Iterator[Edit]:
    """Yield the edits for values that stand beside a secret name instead of under it."""
    for level, name, start, end in _pairs(data):
        if is_secret_member(name):
            yield from _string_edits(data, start, end, level, name, known)


def _pairs(data: bytes) -> Iterator[tuple[int, str, int, int]]:
    """Yield the pairs in *data*: how many backslashes escape its quotes, the name, and where the value is."""
    for found in LISTED.finditer(data):
        level, name = len(found[1]), found[2].decode()
        for start, end in _strings_at(data, found.end(), level, "")[0]:
            if LIST_END.match(data, end) and _is_credential(data[start:end]):
                yield level, name, start, end
    if b'"value' not in data and b'"Value' not in data:
        return
    for found in NAMED.finditer(data):
        level, name = len(found[1]), found[2].decode()
        for start, end in _strings_at(data, found.end(), level, name)[0]:
            yield level, name, start, end
    for found in VALUE.finditer(data):
        level = len(found[1])
        end = _string_end(data, found.end(), level)
        if named := ITS_NAME.match(data, end):
            yield level, named[2].decode(), found.end(), end


def _is_credential(value: bytes) -> bool:
    return SCHEME.match(value) is not None or (len(value) >= SHORTEST_LISTED and bool(DIGIT.search(value)))


def _is_replaced(name: str, *, in_response: bool) -> bool:
    return is_secret_member(name) or (in_response and canonical(name) in ACCOUNT_MEMBERS)


def _is_text_token(data: bytes, found: re.Match[bytes]) -> bool:
    """Tell whether this ``token`` is a piece of an answer, by what stands beside it in its object."""
    quote = QUOTE.match(data, found.end())
    end = _string_end(data, quote.end(), len(found[2])) if quote else found.end()
    before = data[max(0, found.start() - NEARBY) : found.start()].rpartition(b"{")[2]
    closing = BRACE.search(data, end, end + NEARBY)
    siblings = before, data[end : closing.start() if closing else end + NEARBY]
    return any(TEXT_TOKEN.search(text) for text in siblings)


def _strings_at(data: bytes, at: int, level: int, name: str) -> tuple[list[tuple[int, int]], int]:
    """Return the strings of the JSON value at *at* that are secrets, and where the value ends.

    Quotes are escaped by *level* backslashes. In an object only a cookie jar's values are secrets, and what
    is called the value: under another name it is most likely the schema of a tool.
    """
    opening = data[at : at + 1]
    if opening == b"[" or (opening == b"{" and canonical(name) in COOKIE_JARS):
        return _strings_inside(data, at, level)
    if opening == b"{" and (found := ITS_VALUE.match(data, at)):
        at = found.end()
    quote = QUOTE.match(data, at)
    if quote and len(quote[1]) == level:
        end = _string_end(data, quote.end(), level)
        return [(quote.end(), end)], end
    return [], at


def _string_edits(
    data: bytes, start: int, end: int, level: int, name: str, known: KnownSecrets
) -> Iterator[Edit]:
    layers = (level + 1).bit_length()
    slug, text = slug_of(name), unescaped(data[start:end], layers)
    if canonical(name) in ACCOUNT_MEMBERS and known.is_chosen(text):
        return
    if canonical(name) not in COOKIE_JARS:
        yield from credential_edit(data, start, end, (slug, f"JSON key {slug}"), known, layers)
    elif canonical(name) == "setcookie":
        yield from set_cookie_edits(data, start, end, known, layers)
    else:
        yield from cookie_edits(data, start, end, known, layers)


def _number_edits(data: bytes, at: int, name: str, known: KnownSecrets) -> Iterator[Edit]:
    number = NUMBER.match(data, at)
    if number and name.lower() != "token" and float(number[0]) != 0:
        known.add(number[0].decode())
        yield Edit(*number.span(), b"0", f"JSON key {slug_of(name)}")  # a placeholder would be no number


def _string_end(data: bytes, start: int, level: int) -> int:
    """Return where the string that begins at *start* ends; a broken one ends with its line."""
    for quote in STRING_END.finditer(data, start):
        if quote[1] is None:
            return quote.start()
        escapes = len(quote[1])
        if escapes % (2 * (level + 1)) == level:
            return quote.end() - 1 - level
        if escapes < level:
            return quote.start()
    line_end = data.find(b"\n", start)
    return line_end if line_end >= 0 else len(data)


def _strings_inside(data: bytes, at: int, level: int) -> tuple[list[tuple[int, int]], int]:
    """Return the string values inside the array or object at *at*, not the keys of objects, and its end."""
    strings, depth, position = [], 0, at
    while found := NESTED.search(data, position):
        position = found.end()
        if found.lastgroup == "quote":
            end = _string_end(data, position, level)
            if not KEY_END.match(data, end):
                strings.append((position, end))
            position = end + level + 1
        else:
            depth += {"open": 1, "close": -1}.get(found.lastgroup or "", -depth)
            if depth == 0:
                break
    return strings, position

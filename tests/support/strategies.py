"""Hypothesis strategies for streams: nasty text, framings, rubbish, and where the bytes are cut."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.support.wire import chunk

# What line splitters, decoders and parsers trip over: line ends of many standards, format characters,
# astral and combining characters, halves of surrogate pairs, and text that looks like the protocol.
NASTY = [
    *("\n", "\r", "\r\n", "\n\n", "\t", " ", "\0", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x7f", "\x85"),
    *("\u2028", "\u2029", "\ufeff", "\u200b", "\u200d", "\ufffd", "\uffff", "\ud83d", "\ude00", "\udfff"),
    *("é", "é", "世", "👩‍👩‍👧", "🇺🇦", "𝒜", "नमस्ते", "שלום"),
    *(
        "data:",
        "data: [DONE]",
        "[DONE]",
        ": ping",
        "{",
        "}",
        '"',
        "\\",
        "\\u0000",
        "<html>",
        "<b>",
        "error: x",
    ),
]
pieces = st.one_of(st.sampled_from(NASTY), st.text(max_size=8))
#: The pieces of an answer; at least one of them says something.
texts = st.lists(pieces, min_size=1, max_size=12).filter(lambda found: "".join(found) != "")


def whole_text(said: list[str]) -> str:
    """Return the pieces as one text that can be encoded: halves of a pair joined, others replaced."""
    return "".join(said).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def cuts(size: int) -> st.SearchStrategy[list[int]]:
    """Return where to cut *size* bytes: nowhere up to everywhere."""
    return st.one_of(st.just([*range(size)]), st.lists(st.integers(0, size), max_size=20))


@dataclass
class Framed:
    """An answer on the wire."""

    said: list[str]
    wire: bytes

    @property
    def text(self) -> str:
        return whole_text(self.said)


@st.composite
def event_streams(draw: st.DrawFn) -> Framed:
    """Give a chat answer as server-sent events, in any framing a server may choose."""
    said = draw(texts)
    line_end = draw(st.sampled_from(["\n", "\r", "\r\n"]))
    space = draw(st.sampled_from(["", " "]))
    indent = draw(st.sampled_from([None, None, 1]))
    raw = draw(st.booleans())
    between = st.sampled_from(
        [[], [], [": ping"], [":"], ["id: 7", "retry: 10"], ["event: message"], ["odd"]]
    )
    lines: list[str] = []
    for piece in said:
        lines += draw(between)
        lines += [
            f"data:{space}{line}" for line in as_json(chunk({"content": piece}), raw, indent).split("\n")
        ]
        lines += draw(st.sampled_from([[], [": padding inside"]]))
        lines.append("")
    lines += draw(st.sampled_from([[": bye"], []]))
    lines += draw(st.sampled_from([[f"data:{space}[DONE]", ""], [f"data:{space}[DONE]"], _finish(space)]))
    mark = draw(st.sampled_from(["", "\ufeff"]))
    return Framed(said, (mark + "".join(line + line_end for line in lines)).encode())


def _finish(space: str) -> list[str]:
    return [f"data:{space}{json.dumps(chunk({}, 'stop'))}", ""]


@st.composite
def line_streams(draw: st.DrawFn) -> Framed:
    """Give a chat answer as chat-ui's updates, padded, with the blank space that it sends."""
    said = [piece.rstrip("\0") for piece in draw(texts)]
    raw = draw(st.booleans())
    updates: list[dict[str, Any]] = [{"type": "status", "status": "started"}]
    for piece in said:
        updates += draw(st.sampled_from([[], [{"type": "status", "status": "keepAlive"}]]))
        updates.append({"type": "stream", "token": piece.ljust(16, "\0")})
    updates.append({"type": "finalAnswer", "text": whole_text(said), "interrupted": False})
    lines = [as_json(update, raw, None) for update in updates]
    lines.append(
        " " * draw(st.sampled_from([0, 5, 4096]))
        + draw(st.sampled_from(["", '{"type":"title","title":"T"}']))
    )
    return Framed(said, "\n".join(lines).encode())


def as_json(value: Any, raw: bool, indent: int | None) -> str:
    """Return *value* as JSON text that UTF-8 can hold; *raw* leaves other characters as they are."""
    if raw:
        text = json.dumps(value, ensure_ascii=False, indent=indent)
        if not any("\ud800" <= character <= "\udfff" for character in text):
            return text
    return json.dumps(value, indent=indent)


def _values(*usual: Any) -> st.SearchStrategy[Any]:
    """Give mostly the first of *usual*, so that most chunks of a stream look alike."""
    return st.sampled_from([*[usual[0]] * 6, *usual])


_TEXTS = [
    "a",
    "b",
    "Hi ",
    "",
    '"',
    "\\",
    "}",
    '","finish_reason":"stop"',
    "\u2028",
    "\0",
    "\ud83d",
    "\ude00",
    "data: x",
]
#: Chunks that look alike but for a few keys, some of which mean something.
alike_chunks = st.lists(
    st.fixed_dictionaries(
        {
            "id": _values("c1", "c1", "c2", "", None, "choices"),
            "choices": st.tuples(
                st.fixed_dictionaries(
                    {
                        "index": _values(0, 0, 1),
                        "delta": st.fixed_dictionaries(
                            {"content": st.sampled_from(_TEXTS)},
                            optional={
                                "role": _values("assistant", "assistant", "x", None),
                                "reasoning": _values(None, None, "hm", ""),
                                "refusal": _values(None, None, "No"),
                                "tool_calls": _values(
                                    None, None, [], [{"id": "a", "function": {"name": "f"}}]
                                ),
                            },
                        ),
                        "finish_reason": _values(None, None, None, "stop", ""),
                    }
                )
            ),
        },
        optional={
            "obfuscation": st.sampled_from(["x", "yz", ""]),
            "error": _values(None, None, None, "boom"),
            "usage": _values(None, None, {"prompt_tokens": 1, "completion_tokens": 2}),
            "detail": _values("d"),
        },
    ),
    max_size=14,
)
#: The same for chat-ui's updates.
alike_updates = st.lists(
    st.fixed_dictionaries(
        {"type": _values("stream", "stream", "title", "finalAnswer", "status", "reasoning")},
        optional={
            "token": st.sampled_from([*_TEXTS, "a\0\0", "\0\0"]),
            "text": _values("a", "b"),
            "title": _values("T"),
            "status": _values("keepAlive", "error"),
            "subtype": _values("stream"),
            "error": _values(None, "boom"),
        },
    ),
    max_size=14,
)


_FRAGMENTS = [
    *(
        b"data: ",
        b"data:",
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\n",
        b": c\n",
        b"event: error\n",
        b"error: ",
        b"id: 1\n",
    ),
    *(
        b"[DONE]",
        b"{",
        b"}",
        b"[",
        b"]",
        b"null",
        b"1",
        b'"x"',
        b"NaN",
        b" ",
        b" " * 40,
        b"\xef\xbb\xbf",
        b"\xef",
        b"\xff",
    ),
    *(b"<html>", b"<title>Just a moment...</title>", b"{}", b'{"choices":[]}', b'{"error":{"message":"no"}}'),
    *(b'{"choices":[{"delta":{"content":"', b'hi"}}]}\n\n', b'{"choices":[{"delta":{"content":"yo"}}]}\n\n'),
    *(b'{"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n', b'{"detail":"x"}', b"\\ud83d", b"\\u0000"),
    *(b'{"choices":[{"message":{"content":"m"}}]}', b'{"message":"m"}', b'{"data":[{"url":"u"}]}'),
    *(
        b'{"type":"stream","token":"t\\u0000"}\n',
        b'{"type":"finalAnswer","text":"t"}\n',
        b'{"type":"title","title":"T"}',
    ),
    *(
        b'{"type":"status","status":"error","message":"bad"}\n',
        b'{"type":7}\n',
        b"\xe4\xb8\x96",
        b"\xe4\xb8",
        b"sorry, ",
    ),
]
#: Bytes that nearly are a stream.
rubbish = st.lists(st.one_of(st.sampled_from(_FRAGMENTS), st.binary(max_size=6)), max_size=14).map(b"".join)

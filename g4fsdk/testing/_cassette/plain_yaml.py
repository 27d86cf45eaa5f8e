"""What nearly every cassette is written in, read in one pass: no tags, no anchors, keys that are text.

It gives what PyYAML's safe loader gives, in a third of its time, or nothing: each node is built from its
event as the loader would build it, and whatever takes more than that (a tag, an anchor, another key, a second
document, a depth that nobody writes) is left to the loader.
"""

from __future__ import annotations

from typing import Any

import yaml

UNUSUAL: Any = object()  # what is left to the loader
_ABSENT: Any = object()
_TEXT = "tag:yaml.org,2002:str"
_STARTS: dict[type, type] = {yaml.MappingStartEvent: dict, yaml.SequenceStartEvent: list}
_ENDS = (yaml.MappingEndEvent, yaml.SequenceEndEvent)


def read_plain(loader: Any, *, deepest: int) -> Any:
    """Return the only document of *loader*, or UNUSUAL; at most *deepest* collections are in each other."""
    outer: list[tuple[Any, Any]] = []
    into, key = _ABSENT, _ABSENT
    loader.get_event()  # the start of the stream
    loader.get_event()  # and of the document
    while True:
        event = loader.get_event()
        kind = type(event)
        is_key = type(into) is dict and key is _ABSENT
        if kind is yaml.ScalarEvent:
            value = _scalar(loader, event)
            if value is UNUSUAL or (is_key and type(value) is not str):
                return UNUSUAL
        elif kind in _STARTS:
            if event.tag is not None or event.anchor is not None or is_key or len(outer) >= deepest:
                return UNUSUAL
            outer.append((into, key))
            into, key = _STARTS[kind](), _ABSENT
            continue
        elif kind in _ENDS:
            value = into
            into, key = outer.pop()
        else:
            return UNUSUAL
        if into is _ABSENT:
            return value if _is_the_end(loader) else UNUSUAL
        if type(into) is list:
            into.append(value)
        elif key is _ABSENT:
            key = value
        else:
            into[key], key = value, _ABSENT


def _scalar(loader: Any, event: Any) -> Any:
    if event.tag is not None or event.anchor is not None:
        return UNUSUAL
    text = event.value
    if not event.implicit[0] or text[:1] not in loader.yaml_implicit_resolvers:
        return text
    tag = loader.resolve(yaml.ScalarNode, text, event.implicit)
    if tag == _TEXT:
        return text
    build = loader.yaml_constructors.get(tag)
    return UNUSUAL if build is None else build(loader, yaml.ScalarNode(tag, text))


def _is_the_end(loader: Any) -> bool:
    ends = type(loader.get_event()), type(loader.get_event())
    return ends == (yaml.DocumentEndEvent, yaml.StreamEndEvent)

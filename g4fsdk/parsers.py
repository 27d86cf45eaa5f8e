"""The stream parsers, for people with their own transport."""

from g4fsdk._core.framing.document import DocumentParser
from g4fsdk._core.framing.json_lines import JSONLinesParser
from g4fsdk._core.framing.parser import Parser
from g4fsdk._core.framing.sse import SSEParser
from g4fsdk._core.framing.text import TextParser

__all__ = ["DocumentParser", "JSONLinesParser", "Parser", "SSEParser", "TextParser"]

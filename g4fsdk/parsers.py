"""The stream parsers, for people with their own transport."""

from g4fsdk._document import DocumentParser
from g4fsdk._json_lines import JSONLinesParser
from g4fsdk._parsers import Parser
from g4fsdk._sse import SSEParser
from g4fsdk._text import TextParser

__all__ = ["DocumentParser", "JSONLinesParser", "Parser", "SSEParser", "TextParser"]

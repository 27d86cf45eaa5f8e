"""The stream parsers, for people with their own transport."""

from g4fsdk._parsers import DocumentParser, JSONLinesParser, Parser, SSEParser, TextParser

__all__ = ["DocumentParser", "JSONLinesParser", "Parser", "SSEParser", "TextParser"]

"""Whether a JSON value says that the service failed: not all of them say `error`."""

from __future__ import annotations

from functools import lru_cache

from g4fsdk._core.model.http import JSON
from g4fsdk._core.model.secret_names import words_of

_FINE = frozenset({"", "0", "ok", "success", "succeeded", "none", "null"})
_SUCCESS = range(200, 300)
_OF_FAILURES = frozenset("error errors err errmsg exception fail failed failure fatal fault".split())
#: How an answer ends that broke off. DeepSeek, Mistral, OpenRouter, vLLM, SGLang and Zhipu say such.
_BROKEN_OFF = _OF_FAILURES | frozenset("abort aborted cancelled canceled timeout insufficient".split())
_ENDS = ("finish_reason", "native_finish_reason")
#: Where a value says what it is, or how things stand.
_KINDS = ("type", "__type", "object", "event", "status", "state", "result")
_STATUSES = ("status", "status_code", "http_status")
_MAX_NAME = 64
#: What `reports_failure` asks for before it looks for choices.
_BEFORE_CHOICES = frozenset({"error", "x_groq", "errors", "base_resp", "error_code", "error_msg"})


def failing_part(value: JSON) -> JSON:
    """Return the part of *value* that says `error`, if any, else *value*.

    Source: Groq (`x_groq`), OpenRouter (in a choice), Google (a list of one).
    """
    match value:
        case [dict() as only]:
            return only
        case {"error": error} if error:
            return value
        case {"x_groq": {"error": error} as part} if error:
            return part
        case {"choices": [*choices]}:
            failed = (choice for choice in choices if isinstance(choice, dict) and choice.get("error"))
            return next(failed, value)
        case _:
            return value


def reports_failure(value: JSON) -> bool:
    """Whether *value* says so, by whatever keys.

    Source: MiniMax (`base_resp`), Baidu and FastChat (`error_code`), Cloudflare (`errors`), DashScope, Zhipu
    and Spark (`code` with `message` or `msg`), FastAPI (`detail`), NestJS (`statusCode`), vLLM (`object`),
    Cerebras and vLLM (`type`), Bedrock (a key that ends in `Exception`), Apigee (`fault`).
    """
    if _is_usual(value):
        return False
    match failing_part(value):
        case {"error": error} if error:
            return True
        case {"errors": errors} if errors:
            return True
        case {"base_resp": {"status_code": code}} | {"error_code": code} if _is_bad(code):
            return True
        case {"error_msg": words} if "error_code" not in value and _is_bad(words):
            return True
        case {"choices": [_, *_]} | {"data": [*_]}:
            return False
        case dict() as kind if any(tells_failure(kind.get(key)) for key in _KINDS):
            return True
        case {"data": {}}:
            return False
        case {"code": code, "message": words} | {"code": code, "msg": words} if words:
            return _is_bad(code) and _is_bad(words)
        case {"choices": [*_]}:
            return False
        case {"detail": _} | {"errorId": _} | {"success": False} | {"ok": False}:
            return True
        case {"statusCode": code}:
            return _is_bad(code)
        case dict() as other:
            return any(map(_is_refusal, map(other.get, _STATUSES))) or any(
                tells_failure(key) and _is_bad(said) for key, said in other.items()
            )
        case _:
            return False


def _is_usual(value: JSON) -> bool:
    """Whether *value* is a chunk whose choices tell no failure, without a key that is asked for first."""
    choices = value.get("choices") if isinstance(value, dict) and _BEFORE_CHOICES.isdisjoint(value) else None
    return (
        isinstance(choices, list)
        and bool(choices)
        and not [one for one in choices if isinstance(one, dict) and "error" in one]
    )


def broken_end(value: JSON) -> str:
    """Return how an answer in *value*, a chunk or document, ended that broke off; "" where none did."""
    choices = value.get("choices") if isinstance(value, dict) else None
    places = [value, *choices] if isinstance(choices, list) else []
    ends = [place[key] for place in places if isinstance(place, dict) for key in _ENDS if key in place]
    # SGLang's may be a mapping.
    words: list[JSON] = [end.get("type") if isinstance(end, dict) else end for end in ends]
    return next((end for end in words if tells_failure(end, _BROKEN_OFF)), "")


def tells_failure(name: JSON, words: frozenset[str] = _OF_FAILURES) -> bool:
    """Whether *name*, of a key, a kind or an event, has one of *words* in it."""
    return isinstance(name, str) and len(name) <= _MAX_NAME and _has_one_of(words, name)


@lru_cache(maxsize=256)
def _has_one_of(words: frozenset[str], name: str) -> bool:
    return not words.isdisjoint(words_of(name))


def _is_refusal(status: JSON) -> bool:
    return isinstance(status, int) and 400 <= status < 600


def _is_bad(code: JSON) -> bool:
    """Whether *code*, a number or words, is none of success."""
    match code:
        case None | bool():
            return False
        case int() | float():
            return code != 0 and code not in _SUCCESS
        case str():
            words = code.strip().lower()
            return not (words in _FINE or (words.isdecimal() and int(words) in _SUCCESS))
        case _:
            return code not in ([], {})

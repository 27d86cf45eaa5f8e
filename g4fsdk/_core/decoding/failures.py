"""Whether a JSON value says that the service failed: not all of them say `error`."""

from __future__ import annotations

from g4fsdk._core.model.http import JSON

_FINE = frozenset({"", "0", "ok", "success", "succeeded", "none", "null"})
_SUCCESS = range(200, 300)


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
    and Spark (`code` with `message` or `msg`), FastAPI (`detail`), NestJS (`statusCode`), vLLM (`object`).
    """
    match failing_part(value):
        case {"error": error} if error:
            return True
        case {"errors": errors} if errors:
            return True
        case {"base_resp": {"status_code": code}} | {"error_code": code} if _is_bad(code):
            return True
        case {"error_msg": words} if "error_code" not in value and _is_bad(words):
            return True
        case {"choices": [_, *_]} | {"data": [*_] | {}}:
            return False
        case {"code": code, "message": words} | {"code": code, "msg": words} if words:
            return _is_bad(code) and _is_bad(words)
        case {"choices": [*_]}:
            return False
        case {"object": "error"} | {"type": "error"} | {"detail": _} | {"errorId": _} | {"success": False}:
            return True
        case {"statusCode": code}:
            return _is_bad(code)
        case _:
            return False


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
            return True

"""What a refusal means: the message, the code, the class, and whether asking again may help."""

from __future__ import annotations

import json
import math
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from g4fsdk import (
    AuthError,
    BlockedError,
    NotFoundError,
    ProtocolError,
    ProviderError,
    RateLimitError,
    Response,
    ServerError,
    StatusError,
)
from g4fsdk import providers as g4f_providers
from g4fsdk._core.decoding.refusals import (
    dig,
    document_error,
    failure_in,
    is_challenge,
    page_error,
    retry_after,
    status_error,
)


def error_body(**error: Any) -> Any:
    return {"error": error}


# --- Message and code of an error body ---


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        pytest.param(error_body(message="no", type="t", param=None, code="c"), "no", "c", id="OpenAI"),
        pytest.param(error_body(message="no", type="t", code=None), "no", "t", id="code null"),
        pytest.param(error_body(message="no", type="t"), "no", "t", id="code missing"),
        pytest.param(error_body(message="no", code=400), "no", 400, id="llama.cpp, a number"),
        pytest.param(error_body(message="no", code="429"), "no", "429", id="LiteLLM, the status as text"),
        pytest.param(
            {"error": {"message": "no", "code": 429, "metadata": {"raw": "x"}}, "user_id": "u"},
            "no",
            429,
            id="OpenRouter",
        ),
        pytest.param({"id": "x", "error": {"message": "no", "type": "t"}}, "no", "t", id="Together"),
        pytest.param(error_body(code="c", message="no", details=[], innererror={}), "no", "c", id="Azure"),
        pytest.param({"error": "no"}, "no", None, id="Hugging Face, text"),
        pytest.param({"error": "no", "error_type": "t"}, "no", None, id="Hugging Face, text and type"),
        pytest.param({"error": ["no"]}, "no", None, id="Hugging Face, list"),
        pytest.param({"error": "no", "warnings": ["w"]}, "no", None, id="Hugging Face, warnings"),
        pytest.param({"code": "The caller lacks it", "error": "no"}, "no", "The caller lacks it", id="xAI"),
        pytest.param({"message": "no", "request_id": "r"}, "no", None, id="Mistral, message"),
        pytest.param({"detail": "no"}, "no", None, id="FastAPI, text"),
        pytest.param(
            {"detail": [{"loc": ["body"], "msg": "no", "type": "t"}]}, "no", None, id="FastAPI, list"
        ),
        pytest.param(
            {"detail": [{"msg": "no"}, {"msg": "nor that"}]}, "no; nor that", None, id="FastAPI, two"
        ),
        pytest.param(
            {"object": "error", "message": "no", "type": "t", "param": None, "code": 40303},
            "no",
            40303,
            id="vLLM",
        ),
        pytest.param({"message": "no", "type": "t", "param": "p", "code": "c"}, "no", "c", id="Cerebras"),
        pytest.param({"error_code": 401, "message": "no"}, "no", 401, id="Databricks"),
        pytest.param({"code": 401, "reason": "Unauthorized", "message": "no"}, "no", 401, id="GPUStack"),
        pytest.param({"message": "no", "error": "Bad Request", "statusCode": 400}, "no", None, id="NestJS"),
        pytest.param(
            {"message": ["a", "b"], "error": "Bad", "statusCode": 400}, "a; b", None, id="NestJS, list"
        ),
        pytest.param(
            {"message": "An error occurred", "errorId": "e"}, "An error occurred", None, id="chat-ui"
        ),
        pytest.param("no", "no", None, id="a JSON string"),
        pytest.param(["no", "nor that"], "no; nor that", None, id="a JSON list"),
        pytest.param(None, "", None, id="null"),
        pytest.param(7, "", None, id="a number"),
        pytest.param({}, "", None, id="an empty object"),
        pytest.param({"error": None}, "", None, id="error null"),
        pytest.param({"error": {}}, "", None, id="error empty"),
        pytest.param({"error": {"message": None, "code": "c"}}, "", "c", id="message null"),
        pytest.param({"error": {"message": {"message": "no"}}}, "no", None, id="nested twice"),
        pytest.param({"error": {"error": {"message": "no", "code": "c"}}}, "no", "c", id="nested errors"),
    ],
)
def test_message_and_code_are_dug_out_of_any_shape(body: Any, message: str, code: Any) -> None:
    assert dig(json.dumps(body).encode()) == (message, code)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(b"Internal Server Error", "Internal Server Error", id="plain text"),
        pytest.param("文字过长".encode(), "文字过长", id="text in UTF-8"),
        pytest.param(b"\xff bad bytes", "\ufffd bad bytes", id="bytes that are no text"),
        pytest.param(b'{"error": ', '{"error":', id="broken JSON"),
        pytest.param(b"", "", id="nothing"),
        pytest.param(b'\xef\xbb\xbf{"error":"no"}', "no", id="a byte order mark"),
        pytest.param(b' \n{"error":"no"}', "no", id="blank space in front"),
        pytest.param(
            b"<html><title>502 Bad Gateway</title></html>", "502 Bad Gateway", id="a page says its title"
        ),
        pytest.param(b"\xef\xbb\xbf<html></html>", "an HTML page", id="a page without title"),
        pytest.param(b"<html><title> </title><h1>503\nBusy</h1>", "503 Busy", id="a page says its heading"),
        pytest.param(
            b"<?xml version='1.0'?><Error><Code>x</Code><Message>No.</Message></Error>", "No.", id="XML"
        ),
        pytest.param(b"[" * 5000, "[" * 5000, id="too deep"),
    ],
)
def test_the_message_of_other_bodies(body: bytes, message: str) -> None:
    assert dig(body) == (message, None)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"error":' * 40 + b"{}" + b"}" * 40, id="errors in errors"),
        pytest.param(b'{"detail":' * 600 + b"{}" + b"}" * 600, id="details in details"),
        pytest.param(b'{"error":' + b"[" * 600 + b"1" + b"]" * 600 + b"}", id="lists in lists"),
        pytest.param(b'{"error":[' + b'{"error":[],"message":[]},' * 9999 + b"{}]}", id="a long list"),
        pytest.param(b"<title" * 100_000, id="titles in titles"),
        pytest.param(b"<title>" * 100_000 + b" " * 1_000_000, id="blank titles"),
        pytest.param(b"[" * 100_000, id="brackets"),
    ],
)
def test_a_body_made_to_be_slow_is_read_at_once(body: bytes) -> None:
    began = time.thread_time()

    assert type(status_error(Response(500, (), body))) is ServerError
    document_error(body)
    assert time.thread_time() - began < 1.0  # a tenth of it, on a quiet machine


says = st.sampled_from([None, "", "stop", "error", "ok", "no", 0, 1, 500, {}, {"message": "no"}])
TOLD_IN_CHOICES = dict.fromkeys(("error", "finish_reason", "native_finish_reason", "message"), says)
TOLD_IN_CHUNKS = dict.fromkeys(
    ("errors", "error_code", "error_msg", "object", "code", "message", "detail", "success"), says
) | {
    "base_resp": says | st.fixed_dictionaries({"status_code": says}),
    "x_groq": says | st.fixed_dictionaries({"error": says}),
}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["error", "message", "code", "detail", "type", "x"]), inner, max_size=3
            )
        ),
    ),
    st.sampled_from([200, 400, 404, 429, 500, 999]),
)
def test_any_json_is_a_refusal(value: Any, status: int) -> None:
    error = status_error(Response(status, (), json.dumps(value).encode()))

    assert isinstance(error, StatusError)
    assert error.code is None or isinstance(error.code, str | int)
    assert failure_in(value) is None or isinstance(failure_in(value), ProviderError)


@given(
    st.fixed_dictionaries(
        {"choices": st.lists(st.fixed_dictionaries({}, optional=TOLD_IN_CHOICES) | st.none(), max_size=2)},
        optional=TOLD_IN_CHUNKS,
    )
)
def test_a_chunk_without_the_keys_of_failures_is_looked_at_in_short(chunk: dict[str, Any]) -> None:
    quick, full = failure_in(chunk), failure_in({**chunk, "error": None})

    assert (quick and quick.code, quick is None) == (full and full.code, full is None)


# --- Class and advice by status ---


@pytest.mark.parametrize(
    ("status", "kind", "is_retryable"),
    [
        (400, StatusError, False),
        (401, AuthError, False),
        (402, RateLimitError, False),
        (403, AuthError, False),
        (404, NotFoundError, False),
        (405, StatusError, False),
        (408, StatusError, True),
        (410, NotFoundError, False),
        (413, StatusError, False),
        (422, StatusError, False),
        (429, RateLimitError, True),
        (500, ServerError, True),
        (501, ServerError, False),
        (502, ServerError, True),
        (503, ServerError, True),
        (504, ServerError, True),
        (520, ServerError, True),
        (524, ServerError, True),
        (525, ServerError, False),
        (529, ServerError, True),
        (530, ServerError, True),
        (599, ServerError, False),
        (302, StatusError, False),
        (100, StatusError, False),
    ],
)
def test_the_class_goes_by_the_status(status: int, kind: type[StatusError], is_retryable: bool) -> None:
    error = status_error(Response(status, {"X-Request-Id": "req_1", "Set-Cookie": "s=1"}, b'{"error":"no"}'))

    assert type(error) is kind
    assert error.retryable is is_retryable
    assert (error.status, error.body, error.request_id) == (status, b'{"error":"no"}', "req_1")
    assert error.headers == {"x-request-id": "req_1"}


@pytest.mark.parametrize(("status", "said"), [(501, {}), (503, {"X-Should-Retry": "false"})])
def test_what_will_not_pass_is_not_advised_to_be_asked_again(status: int, said: dict[str, str]) -> None:
    error = status_error(Response(status, said, b'{"error":"no such recording"}'))

    assert not error.retryable
    assert str(error).endswith("no such recording")
    assert str(status_error(Response(503, {}, b""))).endswith("; ask again later, or try another provider")
    assert error.message.startswith(str(status))
    assert "no" in error.message


@pytest.mark.parametrize("code", ["insufficient_quota", "billing_hard_limit_reached", "quota_exceeded"])
def test_a_quota_that_is_used_up_is_not_asked_again(code: str) -> None:
    error = status_error(Response(429, (), json.dumps(error_body(message="pay", code=code)).encode()))

    assert type(error) is RateLimitError
    assert not error.retryable
    assert error.code == code
    assert "billing" in error.message
    assert "wait" not in error.message


def test_who_has_to_pay_is_not_told_to_wait() -> None:
    error = status_error(Response(402, (), b'{"error":{"message":"Insufficient Balance"}}'))

    assert "billing" in error.message
    assert "wait" not in error.message


def test_a_quota_is_known_by_its_type_too() -> None:
    body = error_body(message="pay", type="insufficient_quota", code=None)

    assert not status_error(Response(429, (), json.dumps(body).encode())).retryable


@pytest.mark.parametrize("status", [400, 403, 429])
def test_a_quota_is_one_under_any_refusal(status: int) -> None:
    body = json.dumps(error_body(message="pay", code="insufficient_quota")).encode()

    assert type(status_error(Response(status, (), body))) is RateLimitError


@pytest.mark.parametrize("status", [502, 503, 404, 403])
def test_a_page_that_is_no_challenge_goes_by_its_status(status: int) -> None:
    error = status_error(Response(status, (), b"<html><title>Nope</title></html>"))

    assert type(error) is {403: AuthError, 404: NotFoundError}.get(status, ServerError)
    assert "Nope" in error.message


def test_a_message_is_cut() -> None:
    error = status_error(Response(500, (), json.dumps({"error": "x" * 5000}).encode()))

    assert len(error.message) < 700


def test_a_redirect_says_where_it_leads() -> None:
    error = status_error(Response(302, {"Location": "https://user:secret@other.example/x?token=abcdef"}))

    assert "other.example" in error.message
    assert "secret" not in error.message
    assert "abcdef" not in error.message


# --- Challenge pages ---

PAGES = [
    pytest.param(b"<html><body>Generated by cloudfront (CloudFront)</body></html>", id="CloudFront"),
    pytest.param(b"<title>Attention Required! | Cloudflare</title>", id="attention required"),
    pytest.param(b"<!DOCTYPE html><title>Just a moment...</title>", id="just a moment"),
    pytest.param(b"<html><TITLE> Just a moment... </TITLE>", id="upper case"),
    pytest.param(b'<p id="cf-spinner-please-wait">', id="spinner"),
    pytest.param(b"<p id='cf-cloudflare-status'>", id="status"),
    pytest.param(b"<p id=cf-please-wait>", id="please wait"),
    pytest.param(b"<script>window._cf_chl_opt={}</script>", id="script"),
    pytest.param(b'<script src="/cdn-cgi/challenge-platform/x.js">', id="platform"),
    pytest.param(b"<html><title>Sign in - Example</title>", id="sign in"),
    pytest.param(
        b"<html><title>Access denied | x.test used Cloudflare to restrict access</title>", id="shut out"
    ),
    pytest.param(b"\xef\xbb\xbf\n<html><title>Log in</title>", id="log in"),
]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("status", [403, 429, 503])
def test_a_challenge_is_known_under_any_status(page: bytes, status: int) -> None:
    error = status_error(Response(status, {"Content-Type": "text/html"}, page))

    assert type(error) is BlockedError
    assert not error.retryable
    assert error.status == status


@pytest.mark.parametrize("page", PAGES)
def test_a_challenge_is_known_under_200(page: bytes) -> None:
    error = page_error(200, page, (("x-request-id", "r1"), ("set-cookie", "a=b")))

    assert isinstance(error, BlockedError)
    assert (error.status, error.body) == (200, page)
    assert (error.headers, error.request_id) == ({"x-request-id": "r1"}, "r1")


def test_a_challenge_is_known_by_its_header() -> None:
    error = status_error(Response(403, {"cf-mitigated": "challenge"}, b""))

    assert type(error) is BlockedError


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        pytest.param(403, b"error code: 1020\n", BlockedError, id="shut out"),
        pytest.param(429, b"error code: 1015", RateLimitError, id="too many requests"),
        pytest.param(
            429,
            b"<title>Access denied | x used Cloudflare to restrict access</title>You are being rate limited",
            RateLimitError,
            id="too many requests, as a page",
        ),
        pytest.param(502, b"error code: 502", ServerError, id="no answer behind it"),
    ],
)
def test_what_cloudflare_says_to_programs(status: int, body: bytes, kind: type[Exception]) -> None:
    assert type(status_error(Response(status, (), body))) is kind


def test_a_body_without_a_message_is_said_itself() -> None:
    error = status_error(Response(400, (), b'{"errors":{"model":["is invalid"]}}'))

    assert "400 Bad Request: {'errors': {'model': ['is invalid']}}" in error.message
    assert status_error(Response(400, (), b"{}")).message == "400 Bad Request"


def test_text_that_quotes_a_challenge_is_none() -> None:
    error = status_error(Response(503, (), b'{"error":"saw <title>Just a moment...</title>"}'))

    assert type(error) is ServerError


@pytest.mark.parametrize("page", [b"<html><title>Welcome</title>", b"<html>Just a moment please</html>"])
def test_an_ordinary_page_is_no_challenge(page: bytes) -> None:
    assert not is_challenge(page)
    assert type(page_error(200, page, ())) is ProtocolError


# --- Failures under a success status ---


@pytest.mark.parametrize(
    ("value", "is_failure"),
    [
        pytest.param({"error": "no"}, True, id="error"),
        pytest.param({"error": {"message": "no"}, "choices": [1]}, True, id="error beside choices"),
        pytest.param({"error": None, "choices": []}, False, id="error null"),
        pytest.param({"error": False, "data": []}, False, id="error false"),
        pytest.param({"detail": "no"}, True, id="detail"),
        pytest.param({"object": "error", "message": "no"}, True, id="object"),
        pytest.param({"type": "error", "message": "no"}, True, id="type"),
        pytest.param({"statusCode": 406, "message": "no"}, True, id="status code"),
        pytest.param({"errorId": "x", "message": "no"}, True, id="error id"),
        pytest.param({"choices": [], "detail": "x"}, False, id="detail beside choices"),
        pytest.param({"data": [], "type": "error"}, False, id="type beside data"),
        pytest.param({"conversationId": "x"}, False, id="an answer"),
        pytest.param({"base_resp": {"status_code": 1004, "status_msg": "no"}}, True, id="MiniMax"),
        pytest.param({"choices": [1], "base_resp": {"status_code": 1004}}, True, id="MiniMax, with choices"),
        pytest.param({"base_resp": {"status_code": 0, "status_msg": "success"}}, False, id="MiniMax, fine"),
        pytest.param({"error_code": 336501, "error_msg": "no"}, True, id="Baidu"),
        pytest.param({"error_code": 0, "error_msg": "success"}, False, id="Baidu, fine"),
        pytest.param({"text": "no", "error_code": 50001}, True, id="FastChat"),
        pytest.param({"text": "yes", "error_code": 0}, False, id="FastChat, fine"),
        pytest.param({"errors": [{"message": "no"}], "success": False}, True, id="Cloudflare"),
        pytest.param({"errors": [], "success": True}, False, id="Cloudflare, fine"),
        pytest.param({"success": False, "result": None}, True, id="success false"),
        pytest.param({"code": "Throttling", "message": "no"}, True, id="DashScope"),
        pytest.param({"code": 1302, "msg": "no", "data": None}, True, id="Zhipu"),
        pytest.param({"choices": [], "code": 1302, "msg": "no"}, True, id="code and message, no choices"),
        pytest.param({"choices": [{}], "code": 1302, "msg": "no"}, False, id="code beside choices"),
        pytest.param({"code": 0, "message": "Success", "sid": "x"}, False, id="Spark, fine"),
        pytest.param({"code": 200, "msg": "anything"}, False, id="a code of success"),
        pytest.param({"code": "20000", "message": "success"}, False, id="a message of success"),
        pytest.param({"code": 7, "message": ""}, False, id="a code without words"),
        pytest.param({"statusCode": 200, "ms": 3}, False, id="a status of success"),
        pytest.param({"error_msg": "no"}, True, id="words of an error"),
        pytest.param({"type": "ping", "status": "ok"}, False, id="a kind of none"),
        pytest.param({"errorMessage": "", "default": "x", "status": 200}, False, id="names of none"),
        pytest.param({"choices": [{"finish_reason": "error"}]}, True, id="an end"),
        pytest.param({"choices": [{"finish_reason": "length"}]}, False, id="another end"),
        pytest.param([], False, id="list"),
        pytest.param("error", False, id="text"),
        pytest.param(None, False, id="null"),
    ],
)
def test_a_failure_is_known_by_its_shape(value: Any, is_failure: bool) -> None:
    assert (failure_in(value) is not None) == is_failure
    assert (document_error(json.dumps(value).encode()) is not None) == is_failure


def test_what_is_no_json_reports_no_failure() -> None:
    assert document_error(b"{not json") is None


# --- Retry-After ---

DATE = "Thu, 20 Nov 2025 12:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        pytest.param({}, None, id="none"),
        pytest.param({"Retry-After": "7"}, 7.0, id="seconds"),
        pytest.param({"Retry-After": " 1.5 "}, 1.5, id="fraction"),
        pytest.param({"Retry-After": "0"}, 0.0, id="zero"),
        pytest.param({"retry-after-ms": "250"}, 0.25, id="milliseconds"),
        pytest.param({"retry-after-ms": "250", "retry-after": "9"}, 0.25, id="milliseconds win"),
        pytest.param({"retry-after-ms": "x", "retry-after": "9"}, 9.0, id="odd milliseconds"),
        pytest.param({"Retry-After": "Thu, 20 Nov 2025 12:00:30 GMT", "Date": DATE}, 30.0, id="date"),
        pytest.param(
            {"Retry-After": "Thu, 20 Nov 2025 11:00:00 GMT", "Date": DATE}, 0.0, id="date in the past"
        ),
        pytest.param(
            {"Retry-After": "Thu, 20 Nov 2025 12:00:30 GMT", "Date": "x"}, None, id="date without Date"
        ),
        pytest.param({"Retry-After": "soon"}, None, id="rubbish"),
        pytest.param({"Retry-After": "Thu, 20 Nov 2025 12:00:30 -0000", "Date": DATE}, 30.0, id="no zone"),
        pytest.param({"Retry-After": DATE[:-3] + "+" + "9" * 20, "Date": DATE}, None, id="no such zone"),
        pytest.param(
            {"Retry-After": DATE, "Date": DATE[:-3] + "-" + "9" * 20}, None, id="no such zone in Date"
        ),
        pytest.param({"Retry-After": "9" * 5000}, math.inf, id="5,000 digits"),
        pytest.param({"Retry-After": "\x1f7"}, None, id="a control character"),
        pytest.param({"Retry-After": "-5"}, None, id="negative"),
        pytest.param({"Retry-After": ""}, None, id="empty"),
        pytest.param({"Retry-After": "1e9"}, None, id="exponent"),
        pytest.param({"Retry-After": "Thu, 99 Nov 2025 12:00:30 GMT", "Date": DATE}, None, id="no such day"),
    ],
)
def test_retry_after_is_read(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(Response(429, headers)) == seconds
    assert status_error(Response(429, headers)).retry_after == seconds


def test_a_retry_date_without_date_header_counts_from_the_receipt() -> None:
    received_at = 1_763_640_000.0  # DATE

    response = Response(429, {"Retry-After": "Thu, 20 Nov 2025 12:00:05 GMT"}, received_at=received_at)

    assert retry_after(response) == 5.0


# --- What the same status means at one service ---


@pytest.mark.parametrize(
    ("provider", "status", "body", "kind", "is_retryable"),
    [
        pytest.param(
            "yqcloud", 429, "文字过长，请删减后重试。", RateLimitError, False, id="Yqcloud, too long"
        ),
        pytest.param("yqcloud", 429, "busy", RateLimitError, True, id="Yqcloud, busy"),
        pytest.param(
            "amigo",
            429,
            '{"message":"Amigo, your balance is not enough"}',
            RateLimitError,
            False,
            id="quota 429",
        ),
        pytest.param(
            "amigo",
            403,
            '{"message":"Amigo, your balance is not enough"}',
            RateLimitError,
            False,
            id="quota 403",
        ),
        pytest.param(
            "amigo", 500, "Amigo, your balance is not enough to", RateLimitError, False, id="quota 500"
        ),
        pytest.param(
            "amigo", 403, '{"message":"Forbidden","statusCode":403}', AuthError, False, id="AmigoChat 403"
        ),
        pytest.param("amigo", 501, '{"error":"An error occurred"}', ServerError, False, id="AmigoChat 501"),
        pytest.param("amigo", 503, "", ServerError, True, id="AmigoChat 503"),
        pytest.param(
            "cohere-c4ai", 500, '{"message":"An error occurred"}', ServerError, False, id="chat-ui 500"
        ),
        pytest.param("cohere-c4ai", 503, "<html></html>", ServerError, True, id="chat-ui 503"),
        pytest.param(
            "cohere-c4ai",
            429,
            '{"message":"You are sending too many messages. Try again later."}',
            RateLimitError,
            True,
            id="messages a minute",
        ),
        pytest.param(
            "cohere-c4ai",
            429,
            '{"message":"Exceeded number of messages before login"}',
            RateLimitError,
            False,
            id="guests",
        ),
        pytest.param(
            "cohere-c4ai",
            429,
            '{"message":"You have reached the maximum number of conversations. Delete some to continue."}',
            RateLimitError,
            False,
            id="conversations",
        ),
        pytest.param(
            "cohere-c4ai",
            429,
            '{"message":"This conversation has more than 5 messages. Start a new one to continue"}',
            RateLimitError,
            False,
            id="long conversation",
        ),
        pytest.param(
            "cohere-c4ai",
            410,
            '{"message":"Model not available anymore"}',
            NotFoundError,
            False,
            id="chat-ui 410",
        ),
        pytest.param("openai", 500, "Internal Server Error", ServerError, True, id="openai 500"),
        pytest.param("autonomous", 502, "", ServerError, True, id="autonomous 502"),
    ],
)
def test_a_service_may_mean_something_else(
    provider: str, status: int, body: str, kind: type[StatusError], is_retryable: bool
) -> None:
    error = g4f_providers.get(provider).refused(Response(status, {"X-Request-Id": "r"}, body.encode()))

    assert type(error) is kind
    assert error.retryable is is_retryable
    assert (error.status, error.body, error.request_id) == (status, body.encode(), "r")

"""Where a redirect may lead: the same request, to the same service, and no key to anybody else."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import httpx
import pytest

from g4fsdk import AsyncClient, AuthError, Request, Response
from g4fsdk._client.sending import addressed, redirected

POST = Request("POST", "https://x.example/v1/chat", {"Authorization": "Bearer key"}, b"body")
GET = Request("GET", "https://x.example/v1/models", {"Authorization": "Bearer key"})


@pytest.mark.parametrize(
    ("location", "url"),
    [
        pytest.param("/v2/chat", "https://x.example/v2/chat", id="path"),
        pytest.param("chat/", "https://x.example/v1/chat/", id="relative path"),
        pytest.param("https://x.example/v2", "https://x.example/v2", id="whole address"),
        pytest.param("//x.example/v2", "https://x.example/v2", id="without scheme"),
        pytest.param("https://X.Example/v2", "https://X.Example/v2", id="other case"),
        pytest.param("?page=2", "https://x.example/v1/chat?page=2", id="query"),
    ],
)
@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_within_the_service_is_followed_with_everything(
    status: int, location: str, url: str
) -> None:
    assert redirected(POST, Response(status, {"Location": location})) == Request(
        "POST", url, POST.headers, POST.body
    )


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_get_follows_every_redirect(status: int) -> None:
    follow = redirected(GET, Response(status, {"Location": "/v2/models"}))

    assert follow == Request("GET", "https://x.example/v2/models", GET.headers)


@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_post_does_not_become_a_get(status: int) -> None:
    assert redirected(POST, Response(status, {"Location": "/v2"})) is None


@pytest.mark.parametrize(
    "location",
    [
        pytest.param("https://evil.example/v1/chat", id="another host"),
        pytest.param("https://x.example.evil.example/", id="a longer host"),
        pytest.param("https://sub.x.example/", id="a part of the host"),
        pytest.param("//evil.example/", id="another host without scheme"),
        pytest.param("http://x.example/v1", id="in clear text"),
        pytest.param("https://x.example:8443/v1", id="another port"),
        pytest.param("ftp://x.example/v1", id="another scheme"),
        pytest.param("file:///etc/passwd", id="a file"),
        pytest.param("https://[::1", id="no address"),
        pytest.param("https://x.example:port/", id="no port"),
        pytest.param("", id="nothing"),
    ],
)
@pytest.mark.parametrize("request_", [POST, GET], ids=["POST", "GET"])
def test_a_redirect_elsewhere_is_not_followed(request_: Request, location: str) -> None:
    assert redirected(request_, Response(307, {"Location": location})) is None


def test_a_redirect_without_a_place_is_none() -> None:
    assert redirected(GET, Response(302)) is None


@pytest.mark.parametrize("status", [200, 300, 304, 305, 306, 400])
def test_other_statuses_are_no_redirects(status: int) -> None:
    assert redirected(GET, Response(status, {"Location": "/v2"})) is None


@pytest.mark.parametrize(
    ("url", "location", "follows"),
    [
        ("http://x.example/a", "https://x.example/b", True),
        ("http://x.example:80/a", "https://x.example:443/b", True),
        ("http://x.example:8080/a", "https://x.example/b", False),
        ("http://x.example/a", "https://x.example:8443/b", False),
        ("http://127.0.0.1:9/a", "http://127.0.0.1:9/b", True),
        ("https://x.example/a", "https://x.example:443/b", True),
    ],
)
def test_clear_text_may_become_encrypted(url: str, location: str, follows: bool) -> None:
    follow = redirected(Request("GET", url), Response(302, {"Location": location}))

    assert (follow is not None) == follows


def test_a_name_in_the_new_address_does_not_replace_the_key() -> None:
    request = Request("GET", "http://x.example/a", {"Authorization": "Bearer k"})

    follow = redirected(request, Response(302, {"Location": "http://bob:pw@x.example/b"}))

    assert follow is not None
    assert addressed(follow) == Request("GET", "http://x.example/b", {"Authorization": "Bearer k"})


def test_a_redirect_to_the_same_place_with_a_name_and_password_keeps_the_request_as_it_is() -> None:
    follow = redirected(Request("GET", "http://bob:pw@x.example/a"), Response(302, {"Location": "/b"}))

    assert follow is not None
    assert follow.url == "http://bob:pw@x.example/b"


@pytest.mark.parametrize(
    ("url", "headers", "sent", "authorization"),
    [
        pytest.param("http://x/a", {}, "http://x/a", None, id="none"),
        pytest.param(
            "http://bob:pw@x:8/a?b#c", {}, "http://x:8/a?b#c", "Basic Ym9iOnB3", id="name and password"
        ),
        pytest.param("http://bob%40x:p%3Aw@x/", {}, "http://x/", "Basic Ym9iQHg6cDp3", id="percent-coded"),
        pytest.param(
            "http://bob:pw@x/", {"authorization": "Bearer k"}, "http://x/", "Bearer k", id="a key wins"
        ),
    ],
)
def test_a_password_in_an_address_goes_out_as_a_header(
    url: str, headers: dict[str, str], sent: str, authorization: str | None
) -> None:
    request = addressed(Request("GET", url, headers))

    assert request.url == sent
    assert {name.lower(): value for name, value in request.headers.items()}.get(
        "authorization"
    ) == authorization


def test_a_large_body_goes_out_in_parts_that_have_their_time_each() -> None:
    parts: list[bytes] = []

    async def take(request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.AsyncByteStream)
        parts.extend([part async for part in request.stream])
        assert b"".join(parts) == request.content
        assert request.headers["content-length"] == str(len(request.content))
        return httpx.Response(401)

    async def main() -> None:
        adapter = SimpleNamespace(httpx_transport=lambda: httpx.MockTransport(take))
        async with AsyncClient(
            "openai", base_url="http://x.example/v1", model="m", transport=adapter
        ) as client:
            await client.chat.completions.create("x" * 1_000_000)

    with pytest.raises(AuthError):
        asyncio.run(main())
    assert max(map(len, parts)) <= 65536 < len(parts[0]) * 2

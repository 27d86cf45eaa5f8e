"""What the clients of the pytest plugin are made with; apart, because nobody else needs the providers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from g4fsdk import providers
from g4fsdk._client.retries import Retries
from g4fsdk._core.model.chat import Ids
from g4fsdk.testing._cassette.services import base_url_of
from g4fsdk.testing._pytest.marked import fail

if TYPE_CHECKING:
    from tenacity import RetryCallState

    from g4fsdk.testing._cassette.cassette import Cassette
    from g4fsdk.testing._pytest.marked import MarkedTest
    from g4fsdk.testing._replay.replay import Replay

NO_PROVIDER = (
    "the recording does not say of which provider it is: keep it in a folder of that name, "
    "cassettes/<provider>/<case>.yaml, or override the fixture g4f_settings"
)


class AtOnce(Retries):
    """Retries without any wait, also where the recorded service asks for one."""

    __slots__ = ()

    def wait_seconds(self, state: RetryCallState) -> float:
        return 0.0


def client_settings(marked: MarkedTest, cassette: Cassette) -> dict[str, Any]:
    """Return the arguments with which a client asks as the recorded one did.

    What is recorded anew is asked of whom the project says, if it does: see `client_arguments`.
    """
    said = cassette.metadata
    seed = said.get("ids_seed")
    provider = said.get("provider") or _provider_of(marked)
    settings = {
        "provider": provider,
        **({} if marked.records_anew else _whom(cassette, provider or "")),
        "ids": None if seed is None else Ids.seeded(seed),
        "retries": AtOnce() if marked.played["pace"] == "instant" and not marked.records else None,
    }
    return {name: value for name, value in settings.items() if value is not None}


def _whom(cassette: Cassette, provider: str) -> dict[str, Any]:
    model = (cassette.metadata.get("call") or {}).get("model")
    found = {"model": model, "base_url": base_url_of(cassette, provider)}
    return {name: value for name, value in found.items() if value}


def client_arguments(
    settings: Mapping[str, Any], replay: Replay, played: tuple[MarkedTest, Cassette] | None
) -> dict[str, Any]:
    """Return *settings*, which may be the project's, with *replay* as the transport.

    *played* is the test and its recording, which is asked for at the address that was recorded; what is
    recorded anew, at that of *settings*, else again at the recorded one.
    """
    if not settings.get("provider"):
        fail(NO_PROVIDER)
    given = {**settings, "transport": replay}
    if played is None:
        return given
    marked, cassette = played
    if not isinstance(settings["provider"], str):  # providers made by the project know their own
        recorded = _whom(cassette, cassette.metadata.get("provider") or "")
        return {name: value for name, value in given.items() if recorded.get(name) != value}
    recorded = _whom(cassette, settings["provider"])
    if marked.records_anew:
        return {**recorded, **given}
    if "base_url" in given and "base_url" in recorded:
        given["base_url"] = recorded["base_url"]
    return given


def _provider_of(marked: MarkedTest) -> str | None:
    folder = marked.paths[0].parent.name
    return folder if folder in providers.PROVIDERS else None

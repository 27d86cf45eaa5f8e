"""Asks a model server whether it is up; knows nothing but requests."""

from __future__ import annotations

import requests


def greeting(session: requests.Session, base_url: str) -> str:
    """Return what the model server at *base_url* answers to "hi"."""
    asked = {"model": "mock-plain", "messages": [{"role": "user", "content": "hi"}], "stream": False}
    answer = session.post(f"{base_url}/chat/completions", json=asked, timeout=10)
    answer.raise_for_status()
    return str(answer.json()["choices"][0]["message"]["content"])

"""A batch that is killed again and again, and goes on; run as a program, a big one."""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from g4fsdk import Completion
from tests.support.command_line import start
from tests.support.loopback import Received, Server
from tests.support.loopback_clients import document


@dataclass
class Report:
    """How it ended. *wrong*: rows without their answer, or with several. *asked_again*: though answered.

    *asked_twice* were on their way when somebody was killed.
    """

    code: int | None = None
    requests: int = 0
    asked_twice: int = 0
    wrong: list[str] = field(default_factory=list)
    asked_again: set[str] = field(default_factory=set)
    said: str = ""


def killed_batch(
    folder: Path,
    *,
    rows: int,
    kills: int,
    seed: int,
    more: Sequence[str] = (),
    meanwhile: Callable[[Server], object] = lambda server: None,
) -> Report:
    """Run a batch of *rows* in *folder*, killed *kills* times at random moments, to its end.

    *more* are words of the command; *meanwhile* goes on in a thread.
    """
    names, moments, report = [f"row-{number}" for number in range(rows)], random.Random(seed), Report()
    (folder / "in").write_text("".join(json.dumps({"id": name, "prompt": name}) + "\n" for name in names))
    answered = set[str]()
    with (
        Server(lambda request: document("openai", said(request).upper(), pause_s=0.003)) as server,
        ThreadPoolExecutor(1) as pool,
    ):
        words = (folder / "in", "-o", folder / "out", "--base-url", f"{server.url}/v1", "-m", "m", *more)
        beside = pool.submit(meanwhile, server)
        for kill in range(kills + 1):
            begun = len(server.requests)
            process = start("batch", *words, "--concurrency", 4)
            if kill < kills:
                until = begun + moments.randint(0, rows // (kills + 1))
                assert server.wait_until(partial(has_more, until), 60.0)
                time.sleep(moments.random() * 0.01)
                process.kill()
            _, report.said = process.communicate()
            report.asked_again |= {said(request) for request in server.requests[begun:]} & answered
            answered = {json.loads(line)["custom_id"] for line in whole_lines(folder / "out")}
        beside.result()
    found = [json.loads(line) for line in whole_lines(folder / "out")]
    texts = Counter((row["custom_id"], text_of(row)) for row in found)
    report.code, report.requests = process.returncode, len(server.requests)
    report.asked_twice = sum(count > 1 for count in Counter(map(said, server.requests)).values())
    report.wrong = [name for name in names if texts.pop((name, name.upper()), 0) != 1] + [*map(str, texts)]
    return report


def said(request: Received) -> str:
    return str(json.loads(request.body)["messages"][-1]["content"])


def has_more(count: int, server: Server) -> bool:
    return len(server.requests) >= count


def whole_lines(path: Path) -> list[bytes]:
    return path.read_bytes().split(b"\n")[:-1] if path.exists() else []


def text_of(row: dict[str, dict[str, object]]) -> str:
    return Completion.from_dict(row["response"]["body"]).text  # type: ignore[arg-type]  # what is read of JSON


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        sys.stdout.write(f"{killed_batch(Path(place), rows=2000, kills=20, seed=time.time_ns())}\n")

"""Run one target under atheris, or on files that it found: ``python -m tests.fuzz TARGET [--seconds N]``."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", help="a name in the table of tests/fuzz/targets.py")
    parser.add_argument("files", nargs="*", type=Path, help="inputs to try, in place of fuzzing")
    parser.add_argument("--seconds", type=int, default=1800, help="how long to fuzz (default: 1800)")
    asked = parser.parse_args()
    if asked.files:
        replay(asked.target, asked.files)
    else:
        fuzz(asked.target, asked.seconds)


def replay(name: str, files: list[Path]) -> None:
    from tests.fuzz.targets import TARGETS

    for file in files:
        TARGETS[name](file.read_bytes())


def fuzz(name: str, seconds: int) -> None:
    """Fuzz a target from its seeds; ends the process. What fails is kept in the working folder."""
    import atheris

    with tempfile.TemporaryDirectory() as corpus:
        with atheris.instrument_imports(include=["g4fsdk", "email"]):
            from tests.fuzz.targets import TARGETS

            for number, seed in enumerate(TARGETS[name].seeds()):
                Path(corpus, str(number)).write_bytes(seed)
                TARGETS[name](seed)  # loads what is loaded when first used
        options = [f"-max_total_time={seconds}", "-max_len=16384", "-timeout=20", "-print_final_stats=1"]
        atheris.Setup([sys.argv[0], *options, corpus], TARGETS[name])
        atheris.Fuzz()


if __name__ == "__main__":
    main()

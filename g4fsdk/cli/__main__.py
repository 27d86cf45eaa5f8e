"""`python -m g4fsdk.cli`."""

from g4fsdk.cli import main

if __name__ == "__main__":
    main()

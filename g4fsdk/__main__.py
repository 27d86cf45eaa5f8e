"""`python -m g4fsdk`: the command line."""

from g4fsdk.cli import main

if __name__ == "__main__":
    main()

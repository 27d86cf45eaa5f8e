"""The async client: httpx is imported here only."""

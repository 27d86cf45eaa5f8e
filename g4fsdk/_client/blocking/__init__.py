"""The blocking client: requests and urllib3 are imported here only."""

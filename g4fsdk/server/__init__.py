"""The gateway, `g4fsdk serve`: OpenAI's HTTP API in front of any provider. Needs the extra `server`."""

"""A chat: shown as it comes, kept, gone on with, typed."""

"""Handlers of the distribution API, /v2/: parse, call one service, respond."""

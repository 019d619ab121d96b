"""HTTP API: read a request, call one service, write a response."""

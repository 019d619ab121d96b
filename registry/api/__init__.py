"""The wire: read a request, call one service, write a response."""

"""HTTP/1.1 on one connection: requests are read, responses written, as uvicorn calls it."""

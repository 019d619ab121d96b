"""HTTP/1.1 over a Unix socket, with connections that a handler may take over."""

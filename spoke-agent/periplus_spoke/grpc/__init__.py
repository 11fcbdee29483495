"""A client of gRPC servers: HTTP/2 by h2, messages as bytes."""

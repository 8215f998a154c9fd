"""Bodies of requests and answers: what the OpenAPI document says of them. No behaviour."""

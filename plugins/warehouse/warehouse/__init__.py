"""PostgreSQL for the project: a local embedded server, and schemas, roles and rights on any server."""

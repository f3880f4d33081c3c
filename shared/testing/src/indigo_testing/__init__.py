"""pytest plugin: real PostgreSQL, real RabbitMQ, token issuer, the suite in one process."""

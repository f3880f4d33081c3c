"""Private PostgreSQL and RabbitMQ for development and tests."""

"""What every INDIGO service stands on: unit of work, outbox, bus, HTTP conventions, auth, telemetry."""

"""WebSockets: pods, logs, and resources as they change."""

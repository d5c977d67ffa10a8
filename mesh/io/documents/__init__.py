"""What describes a service to its clients: `/schema.json` and `/docs.json`."""

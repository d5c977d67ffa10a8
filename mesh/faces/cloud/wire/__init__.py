"""What goes over the wire of the cloud API, in the names of its published OpenAPI."""

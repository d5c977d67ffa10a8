"""What users write: services, methods and dependencies. Describes them, starts nothing."""

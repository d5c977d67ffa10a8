"""What an organization has: secrets, labels, limits, events and usage."""

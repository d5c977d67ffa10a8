"""The registry of bentos and models over the wire."""

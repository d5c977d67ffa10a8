"""Releases on this machine: made of code, and kept in a store that `bentoml` shares."""

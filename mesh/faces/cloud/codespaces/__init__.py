"""Codespaces: files of a deployment that become what runs."""

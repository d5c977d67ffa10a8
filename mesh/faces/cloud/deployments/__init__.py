"""Deployments and endpoints: from what a client sends to what the controller has, and back."""

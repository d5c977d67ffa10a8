"""The cluster: its nodes, instance types and standbys."""

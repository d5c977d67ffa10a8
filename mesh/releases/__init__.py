"""Releases: packaged graphs, their archives, what a node needs to run one."""

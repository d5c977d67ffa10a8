"""Calls between processes: many calls, interleaved, on one long-lived stream.

frames     what waits to be written and what waits to be read, within the windows
call       one end of one call
session    all calls of one link, without any input or output
transport  what moves batches of frames between machines: gRPC; or memory, for tests
nearby     what moves them within a machine: a Unix socket
reach      the choice between the two
ends       the two ends of a link, run on an event loop
pool, dispatch   links to all replicas, and the choice among them
waiting    calls that are kept back for a place at a replica, or for a first one
watch      following the controller's snapshots
report     telling the controller what is measured
"""

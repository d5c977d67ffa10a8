"""A whole mesh, started and stopped as one: Ray, controller, gateways, deployments."""

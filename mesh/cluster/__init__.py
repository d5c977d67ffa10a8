"""Where replicas live: on Ray, or in this process. The only package that imports ray."""

"""The Open Inference Protocol: methods as models, their requests and responses."""

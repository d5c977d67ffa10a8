"""The faces of the control plane: gRPC and HTTP."""

"""What several parts are made of: layers, activations, the identity bottleneck."""

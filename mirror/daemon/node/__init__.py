"""One node: its modules, the ports of each, and what people and scripts ask of it."""

"""What would happen: the decision code of both nodes, replayed on a state. Pure."""

"""mirror: two ordinary Linux servers as one."""

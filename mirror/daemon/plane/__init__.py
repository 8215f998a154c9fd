"""The data plane process of one module: what turns the wheels of the C library."""

"""Where readings come from; every source gives the same shape, so every screen works on all."""

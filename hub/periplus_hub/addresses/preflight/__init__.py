"""Whether clusters can be joined: every way of joining them, rule by rule."""

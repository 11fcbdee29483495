"""Time, ids, configuration, logs: things without any business words."""

"""Connections as the Linux kernel tracks them: its messages, what changed between readings, whose they are. Pure."""

"""What the Linux kernel answers over netlink: the only place that opens such a socket."""

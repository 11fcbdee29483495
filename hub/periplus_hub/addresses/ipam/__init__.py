"""What clusters report of their addresses: allocations, pools, and how far they are known."""

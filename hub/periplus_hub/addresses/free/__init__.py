"""Where there is room for another range."""

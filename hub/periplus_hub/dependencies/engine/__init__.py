"""What edges and hours say of themselves: rhythms, baselines, and which hours were told whole."""

"""What is computed of edges and hours: maps, reach, rhythms, baselines, and which hours were told whole. Pure."""

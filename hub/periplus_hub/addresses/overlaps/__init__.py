"""Where the ranges of clusters collide: groups, what they are to each cluster, and what people accept."""

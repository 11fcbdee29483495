"""What passes between workloads: rows as spokes tell them, who their addresses were, and the edges made of both."""

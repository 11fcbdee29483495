"""Who talks to whom, and how much of what passed the answer is made of."""

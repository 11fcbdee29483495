"""`periplus doctor`: what is wrong with a hub, what is not known of it, and what to do. It changes nothing."""

"""HTTP with spokes: bodies and messages read within limits, answers and refusals as the contract writes them."""

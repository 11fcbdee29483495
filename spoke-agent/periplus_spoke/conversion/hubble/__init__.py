"""What Hubble Relay says, as rows of the contract. Pure."""

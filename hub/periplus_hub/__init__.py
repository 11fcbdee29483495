"""The Periplus hub: takes sealed batches from spokes, keeps the fleet's network facts and answers questions."""

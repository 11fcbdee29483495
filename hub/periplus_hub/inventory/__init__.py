"""What each cluster contains, and who every address was at a time."""

"""Sealed batches on disk until the hub has settled them: a folder of files, no index, no embedded database."""

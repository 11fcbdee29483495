"""Things with no business meaning: database, clock, ids, errors, outbound HTTP, metrics."""

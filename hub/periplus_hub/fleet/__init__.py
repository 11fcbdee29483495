"""Registrations of clusters: enrolment, credentials, liveness, network domains."""

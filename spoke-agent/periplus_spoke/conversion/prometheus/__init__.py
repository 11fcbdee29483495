"""Flows out of the metrics of others: rules as data, questions in PromQL, answers as rows. Pure."""

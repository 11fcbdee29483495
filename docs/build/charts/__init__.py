"""The values of the Helm charts: typed once here; values.yaml, its schema and the page of values are made from it."""

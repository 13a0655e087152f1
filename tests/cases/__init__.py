"""The tables that feed the contract tests: data only, one row for each public trick."""

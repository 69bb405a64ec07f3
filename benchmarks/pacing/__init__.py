"""The pacing bench: policies of pacing against each other on the same days, with the same luck."""

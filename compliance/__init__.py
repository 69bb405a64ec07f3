"""May this person be contacted now, on this number, through this channel? Rule packs in, verdicts with reasons out."""

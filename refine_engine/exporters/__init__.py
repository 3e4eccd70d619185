"""Writers of results: one file a target format."""

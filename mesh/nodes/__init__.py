"""What a node keeps and does so that releases run on it. No Ray in here; all of it blocks."""

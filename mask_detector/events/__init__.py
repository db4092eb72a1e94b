"""What happened before a camera, as records and as lines of a file."""

"""The whole chain on annotated photos: photo, face detector, crop, verdict."""

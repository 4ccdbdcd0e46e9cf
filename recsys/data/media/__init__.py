"""Items with pictures, sounds, videos, tags or numbers: loaders of media data sets and their samples."""

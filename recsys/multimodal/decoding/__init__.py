"""Decodes untrusted files (pictures, sound, video) to arrays in worker processes; imports stay light."""

"""Records in the formats of other people's archives."""

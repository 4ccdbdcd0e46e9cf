"""What runs leave behind, and what is concluded from it."""

"""Training throughput: this kit's loop against other loops, and against the hardware's limit."""

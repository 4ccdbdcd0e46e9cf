"""Opinion monitoring: topic and sentiment of dated texts on firms, and an alarm when bad news surges."""

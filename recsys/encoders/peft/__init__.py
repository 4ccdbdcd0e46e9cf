"""Parameter-efficient fine-tuning (PEFT): the methods, adapter files, and analysis of weight changes."""

"""Coverage-guided fuzzing of the readers and of the kernel: `make fuzz`."""

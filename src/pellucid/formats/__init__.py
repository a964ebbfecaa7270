"""Files of other tools: recognise, read, write."""

"""``make faults``: what the tool does about one fault after the other."""

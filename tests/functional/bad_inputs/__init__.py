"""Every wrong input, caused for real, with the sentence that it gets."""

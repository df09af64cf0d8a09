"""The runs before this one: how they are kept, and what they tell of it."""

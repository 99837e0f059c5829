"""What the words mean: values and rules, on the standard library only."""

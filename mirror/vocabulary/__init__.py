"""The words everything shares: values without behaviour."""

"""The training loop and the objectives that it trains."""

"""What to look at when something is refused: `explain`, `doctor`."""

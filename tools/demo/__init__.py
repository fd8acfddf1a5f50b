"""What the project does, shown without hardware: `make demo`."""

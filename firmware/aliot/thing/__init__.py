"""What a connected device does: the thing model and the services of the platform."""

"""The thing model as the platform has it: properties, events, services (application.md 1 to 4)."""

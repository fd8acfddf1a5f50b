"""The platform's services beside the thing model (application.md 6 to 13)."""

"""Updates over the air: packages, batches, tasks of devices, and both ways of downloading (application.md 5)."""

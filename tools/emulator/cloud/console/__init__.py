"""The console of the cloud in a browser; loaded only with `--console`. See README.md beside this file."""

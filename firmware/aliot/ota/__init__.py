"""Releases of files over the air: which tree runs (choice), a package written (writer), a release on trial (trial)."""

"""Releases over the air: packages of files, and their signatures."""

"""Configuration files as checked, frozen values: pure, except config/package.py (files of SAFE)."""

"""Configuration files as checked, frozen values: pure, except package.py (files of SAFE)."""

"""Stands in for TRex's stateless library where TRex is not installed: for tests alone."""

"""Frozen networks that turn images into embeddings."""

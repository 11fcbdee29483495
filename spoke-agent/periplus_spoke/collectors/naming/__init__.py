"""Kinds of objects that say what addresses stand for."""

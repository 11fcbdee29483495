"""The computation: what is in the way, and the verdict of each rule."""

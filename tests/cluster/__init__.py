"""Tests against real control planes on loopback, and the rig that starts them."""

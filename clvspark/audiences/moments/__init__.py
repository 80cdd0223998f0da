"""Moments: a goal, a trigger and an audience start a journey of steps over channels."""

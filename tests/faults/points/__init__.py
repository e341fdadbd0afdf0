"""Processes die or stand still at named points of one running product that all of these tests share."""

"""Frames of a recording that are unlike their neighbours, or were stored twice."""

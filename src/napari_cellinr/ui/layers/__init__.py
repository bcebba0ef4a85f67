"""napari layers and Images: conversion, results, live previews and provenance."""

"""What the benchmarks share: pages and their tables, finished runs, time and memory."""

"""The methods: each turns an image and its settings into a Problem for the one loop."""

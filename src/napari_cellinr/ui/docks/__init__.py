"""The docks of the plugin, one module each."""

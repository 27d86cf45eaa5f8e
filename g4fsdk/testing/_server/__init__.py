"""Playing recordings over a loopback socket."""

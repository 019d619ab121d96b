"""How a registry is connected to: pinned addresses, certificates, pools of connections."""

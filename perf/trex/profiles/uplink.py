"""Packets of all nodes in their gateways' tunnels, for the tester's access port."""

from traffic import Profile


def register():
    """Called by TRex."""
    return Profile(("uplink", "uplink"))

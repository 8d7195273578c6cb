"""Packets of a correspondent to all nodes, for the tester's core port."""

from traffic import Profile


def register():
    """Called by TRex."""
    return Profile(("downlink", "downlink"))

"""Both directions at once: downlink on an even port, uplink on an odd one."""

from traffic import Profile


def register():
    """Called by TRex."""
    return Profile(("downlink", "uplink"))

"""Where networks end: minima, saddles, and how far apart the ends are (002:184-196, 003:29)."""

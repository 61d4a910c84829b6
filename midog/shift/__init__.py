"""How far apart scanners are, and what that costs."""

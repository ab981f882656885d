"""The web face: pages for people, JSON for systems, from the same views."""

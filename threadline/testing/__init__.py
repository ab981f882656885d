"""What connector authors and threadline's own tests share: stand-in servers and checks."""

"""Water meters that are polled over CJ/T 188."""

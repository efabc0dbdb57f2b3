"""Device drivers: profiles, codec, request planning, and one folder per protocol."""

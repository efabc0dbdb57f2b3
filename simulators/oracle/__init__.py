"""A second opinion on the service clocks: it steps minute by minute and shares no code with them.

Nothing here imports rules or hub. What is promised comes in as the plain content of service.yaml,
calendar.yaml and roster.yaml, what happened as plain facts.
"""

"""One customer, one thread: customer-service systems joined by connectors, mappings and schedules."""

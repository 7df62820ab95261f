"""Applications: command line, page, service, batches."""

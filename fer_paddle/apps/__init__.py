"""What a person uses: command line, page, service, batches."""

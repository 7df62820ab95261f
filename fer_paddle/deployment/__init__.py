"""Chapter 7: deployment. Export, runtimes, benchmark."""

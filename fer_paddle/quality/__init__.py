"""Chapter 1.2: data quality."""

"""Chapter 1.2: data quality. What a set of pictures holds, and what is wrong with it."""

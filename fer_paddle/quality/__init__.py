"""Chapter 1.2: data quality. What a set of images holds, and what is wrong with it."""

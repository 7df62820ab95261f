"""Chapter 3: analysis. Metrics and what explains them."""

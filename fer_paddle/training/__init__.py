"""Chapter 2.3 and 4.3: training. The loop knows no task; the recipes do."""

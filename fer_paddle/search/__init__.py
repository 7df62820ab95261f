"""Chapter 8: architecture search over any task's networks: space, cost, strategies, supernet, proxies, tuning."""

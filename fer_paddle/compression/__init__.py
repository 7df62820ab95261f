"""Chapters 4.1, 5 and 6: compression. Thin over PaddleSlim: prune filters, quantize numbers."""

"""Small marks in wide images: one map at stride 32, one anchor a cell, neither IoU nor NMS."""

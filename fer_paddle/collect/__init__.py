"""Chapter 1.1, collect and tidy: pages to images, videos to frames, images to faces or mouths, with their sources."""

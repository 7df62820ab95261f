"""Chapter 1.1: collect pictures and tidy them: crawl, video frames, clean, undo, select faces and mouths."""

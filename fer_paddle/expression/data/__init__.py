"""Labelled faces: FER2013, FER+, class folders, augmentation."""

"""Chapter 1.2 to 1.4: data. FER2013, class folders, synthetic faces, augmentation."""

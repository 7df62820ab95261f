"""68 facial landmarks: face crop -> points, head pose, measures of mouth and eyes."""

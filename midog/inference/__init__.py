"""From a trained model and an image to detections in files."""

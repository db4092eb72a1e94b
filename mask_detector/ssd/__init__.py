"""OpenCV's Caffe face SSD: run by OpenCV, and built anew to be run by LiteRT."""

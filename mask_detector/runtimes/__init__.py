"""Models outside Keras: LiteRT and ONNX files, how they are made, run and compared."""

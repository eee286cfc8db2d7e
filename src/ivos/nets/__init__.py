"""Networks alone: tensors in, tensors out; and the published weights that they load."""

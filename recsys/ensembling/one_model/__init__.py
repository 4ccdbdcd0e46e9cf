"""One model at the cost of one, made of several: averages of weights, merged adapters, distillation."""

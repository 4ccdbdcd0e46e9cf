"""Click models: f_ui = σ(x_u · w_i), its objectives, fitting and evaluation."""

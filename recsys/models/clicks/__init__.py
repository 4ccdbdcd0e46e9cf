"""Click models f_ui = σ(x_u · w_i) (000 §4): data, objectives, fitting, tuning and evaluation."""

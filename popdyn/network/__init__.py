"""Networks: frozen records of weights and constants."""

"""From the strip about a trace to the model of its spatial profile, with what is known of its width."""

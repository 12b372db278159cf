"""scikit-learn transformers: thin, no mathematics."""

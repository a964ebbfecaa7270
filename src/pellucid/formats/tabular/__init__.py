"""CSV, Parquet and data frames."""

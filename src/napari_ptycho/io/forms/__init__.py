"""The forms in which scans and reconstructions are written; `table` lists them."""

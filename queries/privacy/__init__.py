"""Who may see whom: views of the marts, pseudonyms, and the columns that hold people."""

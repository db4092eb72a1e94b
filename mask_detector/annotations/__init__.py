"""Photos whose faces were boxed and labelled by hand, in three formats."""

"""What `awase simulate` does around `dimat.simulate`: many settings and seeds at once, and what is written of them."""

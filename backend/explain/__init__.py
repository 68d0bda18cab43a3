"""What a run and every site of it does, since when, what it waits for and what follows, in words."""

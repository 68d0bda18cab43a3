"""When rounds begin, for who is about to say so."""
